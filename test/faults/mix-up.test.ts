import { memcachedStore } from '@fieldwise/memcached'
import { isFieldwiseError } from 'fieldwise'
import { afterEach, describe, expect, test } from 'vitest'
import type { Act, Direction, Fate, FaultProxy, Passing } from '../support/fault-proxy.js'
import { Flyer } from '../support/flights.js'
import { count, measured } from '../support/promise.js'
import { Chance, scaled } from '../support/scale.js'
import { binaryReply, type Protocol, replies, type ScriptedRequest } from '../support/scripted-server.js'
import { patient, protocols, Stage, type TestSession, type TestSessions, unhurried } from './stage.js'

const stages: Stage[] = []
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage[Symbol.asyncDispose]()
})

function onStage(protocol: Protocol): Stage {
  const stage = new Stage(protocol)
  stages.push(stage)
  return stage
}

/** Every type of operation, on a session of which all strings begin with its name. Gives all strings that it was shown. */
const operations: Readonly<
  Record<string, (session: TestSession, name: string, sessions: TestSessions, token: string) => Promise<unknown>>
> = {
  open: async (_session, _name, sessions, token) => (await sessions.open(token))?.get('tag'),
  'open with preload': async (_session, _name, sessions, token) => (await sessions.open(token, { preload: ['tag'] }))?.get('tag'),
  get: (session) => session.get('tag'),
  getMany: async (session) => Object.values(await session.getMany(['tag', 'list', 'flash'])),
  getAll: async (session) => Object.values(await session.getAll()),
  has: (session) => session.has('tag'),
  set: (session, name) => session.set('tag', `${name}:set`),
  'set of several': (session, name) => session.set({ tag: `${name}:set`, visits: 7 }),
  update: (session, name) => session.update('list', (list) => [...list, `${name}:update`]),
  increment: (session) => session.increment('visits'),
  take: (session) => session.take('flash'),
  delete: (session) => session.delete('flash'),
  regenerate: (session) => session.regenerate(),
  destroy: (session) => session.destroy(),
  create: (_session, name, sessions) => sessions.create({ tag: `${name}:new`, flash: `${name}:new` }),
  revoke: (session, _name, sessions, token) => sessions.revoke(session.id ?? token.slice(0, token.lastIndexOf('.'))),
}

/** A byte of what one operation sends, or of what it is answered. */
interface Point {
  readonly operation: string
  readonly isVerified: boolean
  readonly exchange: number
  readonly direction: Direction
  readonly at: number
}

const others = 63
const lanes = 12
const step = scaled(1) >= 10 ? 1 : Math.round(3_000 / scaled(100))
const acts: readonly Act[] = ['cut', 'reset', 'stall', 'half-close']

describe('no session is ever shown the values of another', () => {
  test.for(protocols)('whatever byte of whatever operation a fault comes at (%s)', patient, async (protocol, context) => {
    const chance = new Chance(`faults at every byte, ${protocol}`)
    const stage = onStage(protocol)
    const server = await stage.memcached()
    const crowd = await Crowd.gather(stage.sessions(server.address, unhurried), others)
    const stands = await Promise.all(Array.from({ length: lanes }, () => Stand.build(stage, server.address, crowd)))
    const points = thinned(await everyPoint(stands[0] as Stand), chance)
    const tally = { points: 0, foreign: [] as string[], failed: 0, shown: 0 }
    const todo = points.entries()
    await Promise.all(
      stands.map(async (stand) => {
        for (const [index, point] of todo) await stand.play(point, chance.pick([...acts, 'swallow']), `op${index}`, tally)
      }),
    )
    const size = `${count(points.length)} bytes of ${Object.keys(operations).length} operations, ${others + 1} sessions`
    measured(
      context,
      size,
      `${count(tally.shown)} values shown, ${count(tally.failed)} calls failed, ${tally.foreign.length} foreign values`,
    )
    expect(tally.foreign.slice(0, 5)).toEqual([])
    expect(tally.points).toBe(points.length)
    // The faults were there, and the sessions were read in spite of them.
    expect(tally.failed).toBeGreaterThan(points.length)
    expect(tally.shown).toBeGreaterThanOrEqual(points.length * others)
  })

  test.for(protocols)('when an answer of 8,000 bytes stalls beside 31 secrets (%s)', patient, async (protocol) => {
    const stage = onStage(protocol)
    const server = await stage.memcached()
    const stand = await Stand.build(stage, server.address, await Crowd.gather(stage.sessions(server.address, unhurried), 31))
    const large = await stage.sessions(server.address, unhurried).create({ tag: `large:${'x'.repeat(8_000)}` })
    for (const at of [1, 24, 100, 4_000, 7_999]) {
      const tally = { points: 0, foreign: [] as string[], failed: 0, shown: 0 }
      await stand.warmUp()
      stand.arm(0, { direction: 'replies', at, act: 'stall' })
      const stalled = stand.sessions.resume(large.token).get('tag')
      await stand.readBeside(stalled, 'large', tally)
      expect(tally.foreign.slice(0, 5)).toEqual([])
      expect(tally.failed).toBe(32)
    }
  })

  test.for(protocols)('when a value is made up of answers to the requests of others (%s)', patient, async (protocol, context) => {
    const stage = onStage(protocol)
    const server = await stage.memcached()
    const clean = memcachedStore({ main: server.address }, { protocol, timeout: '10s', connectTimeout: '10s' })
    const evil = new Flyer(clean, clean.place('evil'))
    const forged = Array.from({ length: 60 }, (_, opaque) => forgedReply(protocol, opaque))
    const value = Buffer.concat(forged)
    expect(await evil.told(evil.add('a', value))).toEqual(['stored'])
    const victims = await Promise.all(Array.from({ length: 31 }, (_, index) => plant(clean, `victim${index}`)))
    const found = { foreign: [] as string[], cuts: 0 }
    const lengths = thinnedNumbers(value.length + 60, step * 5)
    const proxies = await Promise.all(
      Array.from({ length: lanes }, () => stage.proxy({ target: server.address, judge: () => 'pass' })),
    )
    const todo = lengths.entries()
    await Promise.all(
      proxies.map(async (proxy) => {
        for (const [index, at] of todo)
          await readForged(proxy, protocol, at, acts[index % acts.length] as Act, evil.sid, victims, found)
      }),
    )
    await clean.close()
    measured(context, `${count(found.cuts)} cuts of a crafted value, 31 victims`, `${found.foreign.length} foreign values`)
    expect(found.foreign.slice(0, 5)).toEqual([])
    expect(found.cuts).toBe(lengths.length)
  })
})

interface Tally {
  points: number
  foreign: string[]
  failed: number
  shown: number
}

/** Sessions that are only read. Each has a tag of its own, no two of them equally long. */
class Crowd {
  readonly members: readonly { readonly token: string; readonly tag: string }[]
  readonly sids: ReadonlySet<string>
  readonly direct: TestSessions

  static async gather(direct: TestSessions, size: number): Promise<Crowd> {
    const members = Array.from({ length: size }, async (_, index) => {
      const tag = `v${index}:${'y'.repeat(index * 5)}`
      return { tag, token: (await direct.create({ tag })).token as string }
    })
    return new Crowd(direct, await Promise.all(members))
  }

  private constructor(direct: TestSessions, members: readonly { readonly token: string; readonly tag: string }[]) {
    this.direct = direct
    this.members = members
    this.sids = new Set(members.map(({ token }) => token.slice(0, token.lastIndexOf('.'))))
  }
}

/** One connection to the server, with a proxy in between that strikes at a byte of what does not belong to the crowd. */
class Stand {
  readonly sessions: TestSessions
  readonly proxy: FaultProxy
  readonly crowd: Crowd
  /** What the operation under test has sent since the last `arm`. */
  sent: Passing[] = []
  #strike: { readonly exchange: number; readonly fate: Fate } | undefined

  static async build(stage: Stage, target: string, crowd: Crowd): Promise<Stand> {
    const proxy = await stage.proxy({ target, judge: () => 'pass' })
    return new Stand(proxy, stage.sessions(proxy.address, { timeout: '150ms', patience: '600ms' }), crowd)
  }

  private constructor(proxy: FaultProxy, sessions: TestSessions, crowd: Crowd) {
    this.proxy = proxy
    this.sessions = sessions
    this.crowd = crowd
    proxy.judge = (passing) => this.#judge(passing)
  }

  arm(exchange: number, fate: Fate): void {
    this.sent = []
    this.#strike = { exchange, fate }
  }

  /** Makes sure that there is a connection. */
  async warmUp(): Promise<void> {
    const [first] = this.crowd.members
    await untilTold(() => this.sessions.resume(first?.token).get('tag'))
  }

  async play(point: Point, act: Act | 'swallow', name: string, tally: Tally): Promise<void> {
    const { session, token } = await this.enter(point, name)
    this.arm(point.exchange, act === 'swallow' ? act : { direction: point.direction, at: point.at, act })
    const run = operations[point.operation]
    await this.readBeside(run?.(session, name, this.sessions, token), name, tally)
    tally.points++
  }

  /** A fresh session of that name, known to this connection or not. */
  async enter(point: Pick<Point, 'isVerified'>, name: string): Promise<{ session: TestSession; token: string }> {
    const created = await this.crowd.direct.create({ tag: `${name}:tag`, list: [`${name}:list`], flash: `${name}:flash` })
    const token = created.token as string
    await this.warmUp()
    let session = this.sessions.resume(token)
    if (point.isVerified) {
      await untilTold(() => {
        session = this.sessions.resume(token)
        return session.get('tag')
      })
    }
    return { session, token }
  }

  /** All of the crowd read beside an operation, and once more when its connection is gone, while late bytes still arrive. */
  async readBeside(operation: Promise<unknown> | undefined, name: string, tally: Tally): Promise<void> {
    const read = () => this.crowd.members.map(({ token }) => this.sessions.resume(token).get('tag'))
    const [own, ...seen] = await Promise.allSettled([operation, ...read()])
    const again = this.crowd.members.map(({ token }) => untilTold(() => this.sessions.resume(token).get('tag')))
    this.proxy.release()
    const later = await Promise.allSettled(again)
    if (own !== undefined) this.#note(own, (value) => stringsIn(value).every((text) => text.startsWith(`${name}:`)), tally)
    for (const outcomes of [seen, later]) {
      for (const [index, outcome] of outcomes.entries()) {
        this.#note(outcome, (value) => value === this.crowd.members[index]?.tag, tally)
      }
    }
  }

  #note(outcome: PromiseSettledResult<unknown>, isOwn: (value: unknown) => boolean, tally: Tally): void {
    if (outcome.status === 'rejected') {
      tally.failed++
      if (!isFieldwiseError(outcome.reason)) tally.foreign.push(String(outcome.reason))
      else if (!['STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'UPDATE_CONFLICT'].includes(outcome.reason.code))
        tally.foreign.push(outcome.reason.code)
    } else {
      tally.shown++
      if (!isOwn(outcome.value)) tally.foreign.push(JSON.stringify(outcome.value))
    }
  }

  #judge(passing: Passing): Fate {
    if (this.crowd.sids.has(passing.key.slice(0, passing.key.lastIndexOf(':')))) return 'pass'
    this.sent.push(passing)
    if (this.#strike?.exchange !== this.sent.length - 1) return 'pass'
    const { fate } = this.#strike
    this.#strike = undefined
    return fate
  }
}

/** Each operation is carried out once without a fault, to see what it sends and what it is answered. */
async function everyPoint(stand: Stand): Promise<Point[]> {
  const points: Point[] = []
  for (const [operation, run] of Object.entries(operations)) {
    for (const isVerified of [true, false]) {
      const { session, token } = await stand.enter({ isVerified }, 'dry')
      stand.arm(-1, 'pass')
      await run(session, 'dry', stand.sessions, token)
      for (const [exchange, { size, answerSize }] of stand.sent.entries()) {
        const base = { operation, isVerified, exchange }
        for (let at = 0; at < size; at++) points.push({ ...base, direction: 'requests', at })
        for (let at = 0; at < answerSize; at++) points.push({ ...base, direction: 'replies', at })
      }
    }
  }
  return points
}

/** All of them at full size; in the suite each thirtieth, other ones in each run. */
function thinned(points: readonly Point[], chance: Chance): Point[] {
  const first = chance.below(step)
  return points.filter((_, index) => index % step === first)
}

function thinnedNumbers(end: number, step: number): number[] {
  return Array.from({ length: Math.ceil(end / step) }, (_, index) => index * step)
}

/** Calls until it is answered: the connection may be gone, or not back yet. */
async function untilTold<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      if (attempt === 100 || !isFieldwiseError(error, 'STORE_UNAVAILABLE')) throw error
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.flatMap(stringsIn) : []
}

function forgedReply(protocol: Protocol, opaque: number): Buffer {
  const request: ScriptedRequest = {
    command: 'get',
    key: '',
    opaque,
    word: '0x00',
    line: '',
    version: undefined,
    exptime: undefined,
    value: Buffer.alloc(0),
  }
  if (protocol === 'binary') return binaryReply(request, { extras: Buffer.alloc(4), value: 'forged', version: '1' })
  return replies.meta.hit(request, 'forged')
}

async function plant(store: ReturnType<typeof memcachedStore>, name: string): Promise<{ sid: string; value: string }> {
  const session = new Flyer(store, store.place(name))
  await session.told(session.add('a', `value of ${name}`))
  return { sid: session.sid, value: `value of ${name}` }
}

/** A victim's answers come behind a crafted one that breaks off somewhere, and again over the next connection. */
async function readForged(
  proxy: FaultProxy,
  protocol: Protocol,
  at: number,
  act: Act,
  evil: string,
  victims: readonly { sid: string; value: string }[],
  found: { foreign: string[]; cuts: number },
): Promise<void> {
  proxy.judge = ({ key }) => (key.startsWith(evil) ? { direction: 'replies', at, act } : 'pass')
  // A store of its own for each, so that the numbers of its requests begin anew where the forged ones do.
  const store = memcachedStore({ main: proxy.address }, { protocol, timeout: '150ms' })
  try {
    const all = [evil, ...victims.map(({ sid }) => sid)].map((sid) => new Flyer(store, sid))
    await all[0]?.fly([])
    for (const round of [0, 1, 2]) {
      const [, ...answers] = await Promise.all(
        (round === 0 ? all : [all[1] as Flyer, ...all.slice(1)]).map((one) => one.told(one.get('a'))),
      )
      for (const [index, [answer = '']] of answers.entries()) {
        if (answer !== `found ${victims[index]?.value}` && !/STORE_UNAVAILABLE$/.test(answer)) found.foreign.push(answer)
      }
      proxy.release()
    }
    found.cuts++
  } finally {
    await store.close()
  }
}
