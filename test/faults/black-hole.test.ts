import { isFieldwiseError } from 'fieldwise'
import { afterEach, describe, expect, test } from 'vitest'
import { slack } from '../support/event-loop-lag.js'
import { type Memcached, textCommand } from '../support/memcached.js'
import { count, measured } from '../support/promise.js'
import { scaled } from '../support/scale.js'
import { until } from '../support/until.js'
import { patient, protocols, Stage, type TestSession, type TestSessions } from './stage.js'

const stages: Stage[] = []
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage[Symbol.asyncDispose]()
})

const timeout = 500
const patience = 2_000
/** Longer than any call may take. */
const seconds = Math.max(3, scaled(3))

describe.each(protocols)('over the %s protocol', (protocol) => {
  test(
    'every call that a black hole swallows is settled by its deadline, and no connection is left behind',
    patient,
    async (context) => {
      const stage = new Stage(protocol)
      stages.push(stage)
      const server = await stage.memcached()
      const before = await connectionsOf(server)
      const proxy = await stage.proxy({ target: server.address })
      const sessions = stage.sessions(proxy.address, {
        timeout: `${timeout}ms`,
        patience: `${patience}ms`,
        retryInterval: '200ms',
      })
      const clean = stage.sessions(server.address)
      const load = await Load.begin(sessions, clean, 24)
      await until(() => load.answered > 100)
      const during = await connectionsOf(server)
      proxy.cutOff('black-hole')
      const failedBefore = load.failed
      await sleep(seconds * 1_000)
      const lost = load.failed - failedBefore
      proxy.heal()
      const answeredBefore = load.answered
      await until(() => load.answered > answeredBefore + 100)
      await load.end()
      await until(async () => (await connectionsOf(server)) === during)
      await Promise.all([sessions.close(), clean.close()])
      await until(async () => (await connectionsOf(server)) === before)
      const slowest = Math.max(...load.overrun)
      measured(
        context,
        `${seconds} s of black hole, 24 sessions under load`,
        `slowest answer ${slowest.toFixed(0)} ms beyond its deadline, ${count(lost)} of ${count(load.overrun.length)} calls failed, 0 connections left`,
      )
      expect(load.surprises).toEqual([])
      expect(lost).toBeGreaterThan(24)
      expect(slowest).toBeLessThan(slack)
    },
  )
})

/** Calls without end, each of them timed. */
class Load {
  answered = 0
  failed = 0
  readonly surprises: string[] = []
  /** How long each call took beyond its deadline, not counting the time that the event loop was held up. */
  readonly overrun: number[] = []
  readonly #lag = new Lag()
  readonly #running: Promise<void>[] = []
  #isOver = false

  static async begin(sessions: TestSessions, clean: TestSessions, size: number): Promise<Load> {
    const load = new Load()
    const tokens = await Promise.all(
      Array.from({ length: size }, async () => (await clean.create({ tag: 'load' })).token as string),
    )
    for (const [index, token] of tokens.entries()) load.#running.push(load.#call(sessions, token, index))
    return load
  }

  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#running)
    this.#lag.stop()
  }

  async #call(sessions: TestSessions, token: string, index: number): Promise<void> {
    for (let turn = index; !this.#isOver; turn++) {
      const [deadline, run] = calls[turn % calls.length] as Call
      const begun = performance.now()
      let isAnswered = true
      try {
        await run(sessions.resume(token), sessions, token)
      } catch (error) {
        isAnswered = false
        if (!isFieldwiseError(error) || !['STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN'].includes(error.code))
          this.surprises.push(String(error))
      }
      const ended = performance.now()
      if (isAnswered) this.answered++
      else this.failed++
      // Every call is looked at in a turn of its own, so that the turn that it ended in has been timed.
      await sleep(isAnswered ? 1 : 5)
      const due = begun + deadline
      this.overrun.push(ended - due - this.#lag.between(due, ended))
    }
  }
}

type Call = readonly [deadline: number, run: (session: TestSession, sessions: TestSessions, token: string) => Promise<unknown>]

const calls: readonly Call[] = [
  [timeout, (session) => session.get('tag')],
  [patience, (session) => session.set('tag', 'load')],
  [timeout, (_session, sessions, token) => sessions.open(token, { preload: ['tag'] })],
  [patience, (session) => session.increment('visits')],
  [timeout, (session) => session.getAll()],
  [timeout, (_session, sessions) => sessions.create({ tag: 'new' })],
]

/** Measures when the event loop was held up, by a timer that should go off all the time. */
class Lag {
  readonly #gaps: [from: number, until: number][] = []
  readonly #timer: NodeJS.Timeout
  #last = performance.now()

  constructor() {
    this.#timer = setInterval(() => this.#tick(), tick)
  }

  /** For how long it was held up in a stretch of time. */
  between(from: number, until: number): number {
    let sum = 0
    for (let index = this.#gaps.length - 1; index >= 0; index--) {
      const [begin, end] = this.#gaps[index] as [number, number]
      if (end < from) break
      sum += Math.max(0, Math.min(until, end) - Math.max(from, begin))
    }
    return sum
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    const now = performance.now()
    if (now - this.#last > 2 * tick) this.#gaps.push([this.#last + tick, now])
    this.#last = now
  }
}

const tick = 2

/** What the server counts, less the connection that asks. */
async function connectionsOf(server: Memcached): Promise<number> {
  return Number(/STAT curr_connections (\d+)/.exec(await textCommand(server, 'stats', 'END\r\n'))?.[1]) - 1
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
