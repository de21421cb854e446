import { randomBytes } from 'node:crypto'
import { memcachedStore } from '@fieldwise/memcached'
import type { MemcachedOptions, Servers } from '@fieldwise/memcached/servers'
import { createSessions, isFieldwiseError, type SessionOf } from 'fieldwise'
import { runningClock } from 'fieldwise/adapter'
import type { Store } from 'fieldwise/store-contract'
import * as z from 'zod'

export interface DemoOptions {
  readonly servers: Servers | undefined
  readonly memcached: MemcachedOptions
  /** From 0 to below 1. */
  readonly random: () => number
}

/** Nobody else's keys begin with it. */
const demoPrefix = 'fieldwise-demo:'

/** Visitors of a small shop on two web servers, so that there is something to look at: with conflicts, lost sessions and forged tokens. */
export class Demo implements AsyncDisposable {
  readonly #random: () => number
  readonly #store: Store
  readonly #webs: readonly [Web, Web]
  readonly #tokens: string[] = []
  /** What visitors are doing, by their places: each does one thing at a time. */
  readonly #acts = new Map<number, Promise<void>>()
  readonly #timer: NodeJS.Timeout

  constructor({ servers, memcached, random }: DemoOptions) {
    this.#random = random
    this.#store = memcachedStore(servers, memcached)
    // Two createSessions with one store are two web servers: their updates meet in memcached and not before.
    this.#webs = [webServer(this.#store), webServer(this.#store)]
    this.#timer = setInterval(() => this.#act(), 60)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#acts.values())
    const [web] = this.#webs
    await Promise.allSettled(this.#tokens.map((token) => web.revoke(sidOf(token))))
    await Promise.all(this.#webs.map((each) => each.close()))
  }

  /** One visitor does something, on one web server or on both. */
  #act(): void {
    const place = Math.floor(this.#random() * visitors)
    if (this.#acts.has(place)) return
    const done = this.#visit(place)
      // What fails is shown on the page: that is what the demonstration is for.
      .catch((error) => {
        if (!isFieldwiseError(error)) throw error
      })
      .finally(() => this.#acts.delete(place))
    this.#acts.set(place, done)
  }

  async #visit(place: number): Promise<void> {
    const web = this.#webs[this.#random() < 0.5 ? 0 : 1]
    const token = this.#tokens[place]
    const session = token === undefined ? null : await web.open(token, { preload: ['username'] })
    if (session === null || token === undefined) return this.#arrive(place, web)
    const { act } = habits.find(({ until }) => this.#random() < until) ?? browse
    await act({ session, token, webs: this.#webs, store: this.#store })
    // A rotation gives a new token, and a session that has ended none.
    this.#tokens[place] = session.token ?? token
  }

  async #arrive(place: number, web: Web): Promise<void> {
    const { token } = await web.create({ username: names[place % names.length] as string, visits: 1 })
    if (token !== undefined) this.#tokens[place] = token
  }
}

const visitors = 14
const names = ['ada', 'grace', 'alan', 'edsger', 'barbara', 'donald', 'margaret']

function webServer(store: Store) {
  return createSessions({
    schema: z.object({
      username: z.string(),
      visits: z.int().default(0),
      cart: z.array(z.string()).default([]),
      preferences: z.record(z.string(), z.string()).default({}),
      flash: z.string(),
    }),
    store,
    prefix: demoPrefix,
    // If this process is killed, nothing of it stays for long.
    lifetime: { idle: '2m', absolute: '10m' },
  })
}

type Web = ReturnType<typeof webServer>

interface DemoScene {
  readonly session: SessionOf<Web>
  readonly token: string
  readonly webs: readonly [Web, Web]
  readonly store: Store
}

interface Habit {
  /** How often: each habit is asked in turn whether it is its turn. */
  readonly until: number
  readonly act: (scene: DemoScene) => Promise<unknown>
}

const browse: Habit = {
  until: 1,
  act: ({ session }) => together([session.getMany(['username', 'cart']), session.increment('visits')]),
}

const habits: readonly Habit[] = [
  { until: 0.002, act: ({ token, webs: [web] }) => web.open(`${sidOf(token)}.${randomBytes(32).toString('base64url')}`) },
  { until: 0.001, act: ({ token, store }) => evict(store, sidOf(token)) },
  { until: 0.01, act: ({ session }) => session.destroy() },
  { until: 0.02, act: ({ session }) => session.regenerate() },
  { until: 0.06, act: ({ session }) => session.set('flash', 'Saved').then(() => session.take('flash')) },
  { until: 0.08, act: ({ session }) => session.set('preferences', { theme: 'dark', language: 'en' }) },
  { until: 0.18, act: ({ session }) => session.update('cart', (cart) => [...cart, 'seeds'].slice(-8)) },
  { until: 0.2, act: ({ token, webs }) => together(webs.flatMap((web) => [1, 2, 3].map(() => impatient(web, token)))) },
  browse,
]

/** Waits for all, also where one fails: a visitor's next call comes after those. */
async function together(calls: readonly Promise<unknown>[]): Promise<unknown> {
  await Promise.allSettled(calls)
  return Promise.all(calls)
}

/** A double click: the requests come at the same moment, on both servers. */
async function impatient(web: Web, token: string): Promise<unknown> {
  return web.resume(token).increment('visits')
}

/** What memcached does when its memory is full. */
async function evict(store: Store, sid: string): Promise<unknown> {
  return store.flight(sid, [{ op: 'delete', key: `${demoPrefix}${sid}:visits` }], runningClock.now() + store.traits.timeout)
}

function sidOf(token: string): string {
  return token.split('.', 1)[0] as string
}
