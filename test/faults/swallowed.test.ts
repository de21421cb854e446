import { isFieldwiseError } from 'fieldwise'
import { afterEach, expect, test } from 'vitest'
import type { Fate, FaultProxy, Link } from '../support/fault-proxy.js'
import { count, measured } from '../support/promise.js'
import { Chance, scaled } from '../support/scale.js'
import { until } from '../support/until.js'
import { patient, protocols, Stage, type TestSession, type TestSessions } from './stage.js'

const stages: Stage[] = []
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage[Symbol.asyncDispose]()
})

const before = { tag: 'before', list: ['first'], flash: 'flash', visits: 5 }

/** A call, and how one tells from what is stored whether it took effect. */
interface Trial {
  /** What is stored when the call begins. */
  readonly values: Partial<typeof before>
  call(session: TestSession, sessions: TestSessions): Promise<unknown>
  /** What the call has to resolve with, if that says anything. */
  readonly result?: unknown
  /** How many times it took effect, as far as the stored values show. */
  applied(values: Stored): number
}

type Stored = Awaited<ReturnType<TestSession['getAll']>>

/** The calls that change a field. */
const trials: Readonly<Record<string, Trial>> = {
  update: {
    values: before,
    call: (session) => session.update('list', (list) => [...list, 'new']),
    result: ['first', 'new'],
    applied: ({ list }) => list.filter((one) => one === 'new').length,
  },
  'first update': {
    values: { tag: 'before' },
    call: (session) => session.update('list', (list) => [...list, 'new']),
    result: ['new'],
    applied: ({ list }) => list.filter((one) => one === 'new').length,
  },
  increment: {
    values: before,
    call: (session) => session.increment('visits'),
    result: 6,
    applied: ({ visits }) => visits - 5,
  },
  set: {
    values: before,
    call: (session) => session.set('tag', 'new'),
    applied: ({ tag }) => (tag === 'new' ? 1 : 0),
  },
  'first set': {
    values: { tag: 'before' },
    call: (session) => session.set('flash', 'new'),
    applied: ({ flash }) => (flash === 'new' ? 1 : 0),
  },
  take: {
    values: before,
    call: (session) => session.take('flash'),
    result: 'flash',
    applied: ({ flash }) => (flash === undefined ? 1 : 0),
  },
  delete: {
    values: before,
    call: (session) => session.delete('flash'),
    applied: ({ flash }) => (flash === undefined ? 1 : 0),
  },
}

const lanes = 16

test.for(protocols)(
  'a call whose answers are swallowed takes effect exactly once if it is acknowledged, never if it failed, and else at most once (%s)',
  patient,
  async (protocol, context) => {
    const chance = new Chance(`swallowed answers, ${protocol}`)
    const stage = new Stage(protocol)
    stages.push(stage)
    const server = await stage.memcached()
    const clean = stage.sessions(server.address)
    const judge = new Judge(clean)
    const wanted = scaled(500)
    const opening = Array.from({ length: lanes }, () => Lane.open(stage, server.address, chance))
    const all = await Promise.all(opening)
    await Promise.all(
      all.map(async (lane) => {
        while (judge.swallowed < wanted) await lane.play(judge)
      }),
    )
    // Nothing may arrive any more when the end is looked at.
    for (const lane of all) await lane.close()
    await judge.lookAtTheEnd()
    measured(context, `${count(judge.swallowed)} answers swallowed, ${count(judge.calls)} calls`, judge.toString())
    expect(judge.found.slice(0, 10)).toEqual([])
    expect(judge.outcomes.get('ok')).toBeGreaterThan(judge.calls / 2)
  },
)

test.for(protocols)(
  'a blind write whose answer is lost is not stored again over one that came after it (%s)',
  patient,
  async (protocol, context) => {
    const stage = new Stage(protocol)
    stages.push(stage)
    const server = await stage.memcached()
    const clean = stage.sessions(server.address)
    const proxy = await stage.proxy({ target: server.address, judge: () => 'pass' })
    const sessions = stage.sessions(proxy.address, { patience: '1500ms' })
    const rounds = scaled(20)
    const outcomes = { ok: 0, failed: 0, unknown: 0, wrong: 0 }
    let overwritten = 0
    for (let round = 0; round < rounds; round++) {
      const { token } = await clean.create({ tag: 'before' })
      const session = sessions.resume(token)
      await session.get('tag')
      const answered = nextAnswerHeld(proxy)
      const setting = outcomeOf(round % 2 === 0 ? session.set('tag', 'first') : session.delete('tag'))
      const link = await answered
      const rival = (await clean.open(token as string)) as TestSession
      await until(async () => (await rival.get('tag')) !== 'before')
      await rival.set('tag', 'second')
      link.reset()
      outcomes[(await setting).outcome]++
      if ((await rival.get('tag')) !== 'second') overwritten++
    }
    measured(
      context,
      `${count(rounds)} lost answers with a rival`,
      `${overwritten} later writes overwritten; ${JSON.stringify(outcomes)}`,
    )
    expect(overwritten).toBe(0)
    expect(outcomes.failed + outcomes.wrong).toBe(0)
  },
)

/** The next answer stays in the proxy; resolves with its link as soon as its request has passed. */
function nextAnswerHeld(proxy: FaultProxy): Promise<Link> {
  return new Promise((resolve) => {
    proxy.judge = ({ link }) => {
      proxy.judge = () => 'pass'
      resolve(link)
      return { direction: 'replies', at: 0, act: 'stall' }
    }
  })
}

/** One connection to the server with a proxy that keeps answers back. */
class Lane {
  readonly #chance: Chance
  readonly #proxy: FaultProxy
  readonly #sessions: TestSessions
  #skip = Number.POSITIVE_INFINITY
  #left = 0
  #fate: Fate = 'pass'
  #struck = 0

  static async open(stage: Stage, target: string, chance: Chance): Promise<Lane> {
    const proxy = await stage.proxy({ target, judge: () => 'pass' })
    return new Lane(chance, proxy, stage.sessions(proxy.address, { timeout: '80ms', patience: '1500ms', retryInterval: '20ms' }))
  }

  private constructor(chance: Chance, proxy: FaultProxy, sessions: TestSessions) {
    this.#chance = chance
    this.#proxy = proxy
    this.#sessions = sessions
    proxy.judge = () => this.#judge()
  }

  async play(judge: Judge): Promise<void> {
    const chance = this.#chance
    const name = chance.pick([...Object.keys(trials), 'create', 'regenerate', 'destroy'])
    const created = await judge.clean.create(trials[name]?.values ?? before)
    const session = await this.#enter(created.token as string, chance.next() < 0.5)
    this.#arm()
    const call = callNamed(name, session, this.#sessions)
    const outcome = await outcomeOf(call)
    this.#skip = Number.POSITIVE_INFINITY
    judge.swallowed += this.#struck
    const isLate = this.#fate === 'hold'
    await judge.look({ name, session, token: created.token as string, isLate, ...outcome })
    this.#proxy.release()
  }

  async close(): Promise<void> {
    await this.#sessions.close()
    this.#proxy.release()
    await this.#proxy[Symbol.asyncDispose]()
  }

  async #enter(token: string, isVerified: boolean): Promise<TestSession> {
    for (;;) {
      const session = this.#sessions.resume(token)
      if ((await outcomeOf(session.get('tag'))).outcome === 'ok') return isVerified ? session : this.#sessions.resume(token)
      await pause()
    }
  }

  #arm(): void {
    const chance = this.#chance
    this.#struck = 0
    this.#skip = chance.below(5)
    this.#left = chance.next() < 0.8 ? 1 : 1 + chance.below(12)
    this.#fate = chance.pick(['swallow', 'swallow and reset', 'swallow and reset', 'swallow and reset', 'lose', 'hold'])
  }

  #judge(): Fate {
    if (this.#skip-- > 0 || this.#left === 0) return 'pass'
    this.#left--
    this.#struck++
    return this.#fate
  }
}

interface Seen {
  readonly name: string
  readonly session: TestSession
  readonly token: string
  /** Requests of this call arrive when it has ended long since. */
  readonly isLate: boolean
  readonly outcome: 'ok' | 'failed' | 'unknown' | 'wrong'
  readonly value?: unknown
}

/** Looks at what is stored after each call, and again in the end. */
class Judge {
  readonly clean: TestSessions
  readonly found: string[] = []
  readonly outcomes = new Map<string, number>()
  swallowed = 0
  calls = 0
  readonly #later: (() => Promise<void>)[] = []

  constructor(clean: TestSessions) {
    this.clean = clean
  }

  async look(seen: Seen): Promise<void> {
    this.calls++
    this.outcomes.set(seen.outcome, (this.outcomes.get(seen.outcome) ?? 0) + 1)
    if (seen.outcome === 'wrong') return this.#complain(seen, `rejected with ${String(seen.value)}`)
    if (seen.name === 'create') return this.#lookAtCreated(seen)
    if (seen.name === 'regenerate') return this.#lookAtRotated(seen)
    if (seen.name === 'destroy') return this.#lookAtDestroyed(seen)
    return this.#lookAtField(seen, trials[seen.name] as Trial)
  }

  async lookAtTheEnd(): Promise<void> {
    while (this.#later.length > 0) await Promise.all(this.#later.splice(0, 64).map((look) => look()))
  }

  toString(): string {
    const outcomes = ['ok', 'failed', 'unknown'].map((outcome) => `${count(this.outcomes.get(outcome) ?? 0)} ${outcome}`)
    return `${outcomes.join(', ')}; ${this.found.length} wrong`
  }

  async #lookAtField(seen: Seen, trial: Trial): Promise<void> {
    const read = async () => trial.applied(await (await this.#opened(seen.token)).getAll())
    const applied = await read()
    this.#assertFits(seen, applied)
    if (seen.outcome === 'ok' && trial.result !== undefined && JSON.stringify(seen.value) !== JSON.stringify(trial.result)) {
      this.#complain(seen, `resolved with ${JSON.stringify(seen.value)}`)
    }
    if (seen.name === 'set') return this.#writeAfter(seen)
    this.#later.push(async () => {
      const inTheEnd = await read()
      const mayHaveCome = seen.isLate && seen.outcome === 'unknown'
      if (mayHaveCome) this.#assertFits(seen, inTheEnd)
      else if (inTheEnd !== applied) this.#complain(seen, `had taken effect ${applied} times, in the end ${inTheEnd}`)
    })
  }

  /** What is written after a call has ended is not overwritten by it, unless it was told that it may still arrive. */
  async #writeAfter(seen: Seen): Promise<void> {
    const token = seen.token
    await (await this.#opened(token)).set('tag', 'after')
    this.#later.push(async () => {
      const tag = await (await this.#opened(token)).get('tag')
      const mayHaveCome = seen.isLate && seen.outcome === 'unknown'
      if (tag !== 'after' && !mayHaveCome) this.#complain(seen, `was stored again over a later write: ${tag}`)
    })
  }

  #assertFits(seen: Seen, applied: number): void {
    const allowed = { ok: [1], failed: [0], unknown: [0, 1], wrong: [] }[seen.outcome]
    if (!allowed.some((times) => times === applied)) this.#complain(seen, `took effect ${applied} times`)
  }

  async #lookAtCreated(seen: Seen): Promise<void> {
    if (seen.outcome === 'unknown') this.#complain(seen, 'cannot be of unknown outcome')
    if (seen.outcome !== 'ok') return
    const look = async () => {
      const token = (seen.value as TestSession).token as string
      const values = await (await this.#opened(token)).getAll()
      if (JSON.stringify(values) !== JSON.stringify(before)) this.#complain(seen, `is there as ${JSON.stringify(values)}`)
    }
    await look()
    this.#later.push(look)
  }

  /** Of the two secrets one opens the session; where it is not known which, asking again settles it. */
  async #lookAtRotated(seen: Seen): Promise<void> {
    const { session, token, outcome } = seen
    if (outcome === 'unknown') await untilOk(() => session.regenerate())
    const current = session.token ?? token
    if (outcome !== 'failed' && current === token) this.#complain(seen, 'issued no new token')
    const look = async () => {
      if ((await this.clean.open(current)) === null) this.#complain(seen, 'the token that was issued opens nothing')
      if (current !== token && (await this.clean.open(token)) !== null) this.#complain(seen, 'the old token still opens')
    }
    await look()
    this.#later.push(look)
  }

  async #lookAtDestroyed(seen: Seen): Promise<void> {
    const isThere = async () => (await this.clean.open(seen.token)) !== null
    const left = await isThere()
    if (seen.outcome === 'ok' && left) this.#complain(seen, 'left the session alive')
    if (seen.outcome === 'failed' && !left) this.#complain(seen, 'ended the session')
    this.#later.push(async () => {
      const inTheEnd = await isThere()
      if (inTheEnd && !left) this.#complain(seen, 'came back')
      if (!inTheEnd && left && !(seen.isLate && seen.outcome === 'unknown')) this.#complain(seen, 'ended the session later')
    })
  }

  async #opened(token: string): Promise<TestSession> {
    const session = await this.clean.open(token)
    if (session === null) throw new Error('the session of a call is gone')
    return session
  }

  #complain(seen: Seen, what: string): void {
    this.found.push(`${seen.name} (${seen.outcome}${seen.isLate ? ', late' : ''}): ${what}`)
  }
}

function callNamed(name: string, session: TestSession, sessions: TestSessions): Promise<unknown> {
  switch (name) {
    case 'create':
      return sessions.create(before)
    case 'regenerate':
      return session.regenerate()
    case 'destroy':
      return session.destroy()
    default:
      return (trials[name] as Trial).call(session, sessions)
  }
}

async function outcomeOf(call: Promise<unknown>): Promise<{ outcome: Seen['outcome']; value?: unknown }> {
  try {
    return { outcome: 'ok', value: await call }
  } catch (error) {
    if (isFieldwiseError(error, 'OUTCOME_UNKNOWN')) return { outcome: 'unknown' }
    if (isFieldwiseError(error, 'STORE_UNAVAILABLE') || isFieldwiseError(error, 'UPDATE_CONFLICT')) return { outcome: 'failed' }
    return { outcome: 'wrong', value: error }
  }
}

async function untilOk(call: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if ((await outcomeOf(call())).outcome === 'ok') return
    await pause()
  }
  throw new Error('never acknowledged')
}

/** A server that is known to be down fails calls without any waiting. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5))
}
