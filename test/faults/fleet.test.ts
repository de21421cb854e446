import { isFieldwiseError } from 'fieldwise'
import { afterEach, describe, expect, test } from 'vitest'
import type { CutOff, FaultProxy } from '../support/fault-proxy.js'
import { count, measured } from '../support/promise.js'
import { Chance, scaled } from '../support/scale.js'
import { until } from '../support/until.js'
import { patient, protocols, Stage, type TestSessions } from './stage.js'

const stages: Stage[] = []
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage[Symbol.asyncDispose]()
})

const names = ['a', 'b', 'c'] as const
type Name = (typeof names)[number]

describe.each(protocols)('over the %s protocol', (protocol) => {
  test(
    'a server that is cut off and healed disturbs nobody else, serves nothing stale and revives no session',
    patient,
    async (context) => {
      const chance = new Chance(`cut and heal, ${protocol}`)
      const stage = new Stage(protocol)
      stages.push(stage)
      const fleet = await Fleet.build(stage)
      const residents = await Promise.all(names.flatMap((name) => Array.from({ length: 5 }, () => fleet.settle(name))))
      const rounds = scaled(10)
      for (let round = 0; round < rounds; round++) await playRound(fleet, residents, chance)
      const { wrong, errors } = fleet
      const calls = residents.reduce((sum, resident) => sum + resident.calls, 0)
      measured(
        context,
        `3 servers, ${count(rounds)} rounds, ${count(calls)} calls`,
        `${errors.elsewhere} errors elsewhere, ${wrong.stale} stale reads, ${wrong.revived} revived logouts; ` +
          `${count(errors.there)} calls failed there, ${fleet.placed} sessions placed elsewhere meanwhile`,
      )
      expect(fleet.surprises.slice(0, 5)).toEqual([])
      expect([errors.elsewhere, wrong.stale, wrong.revived]).toEqual([0, 0, 0])
      expect(errors.there).toBeGreaterThan(rounds)
      expect(fleet.placed).toBe(rounds * 5)
    },
  )

  test('a fifth server takes its share of the new sessions and none of the living ones', patient, async (context) => {
    const stage = new Stage(protocol)
    stages.push(stage)
    const servers = await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map(async (name) => [name, (await stage.memcached()).address] as const),
    )
    const four = stage.sessions(Object.fromEntries(servers.slice(0, 4)), { timeout: '5000ms' })
    const five = stage.sessions(Object.fromEntries(servers), { timeout: '5000ms' })
    const size = scaled(500)
    const sessions = await Promise.all(Array.from({ length: size }, (_, index) => four.create({ tag: `session ${index}` })))
    const tags = await Promise.all(sessions.map(async ({ token }) => (await five.open(token as string))?.get('tag')))
    const lost = tags.filter((tag, index) => tag !== `session ${index}`).length
    const fresh = await Promise.all(Array.from({ length: size }, () => five.create()))
    const share = fresh.filter(({ id }) => id?.endsWith('~e')).length / size
    measured(
      context,
      `${count(size)} sessions, 4 to 5 servers`,
      `${lost} lost; ${(100 * share).toFixed(1)} % of the new ones on the fifth`,
    )
    expect(lost).toBe(0)
    // Within six standard deviations of a fifth.
    expect(Math.abs(share - 0.2)).toBeLessThan(6 * Math.sqrt((0.2 * 0.8) / size))
  })
})

/** Three servers, each behind a proxy, and the sessions of one web server on them; another one looks at them directly. */
class Fleet {
  readonly sessions: TestSessions
  readonly direct: TestSessions
  readonly proxies: Readonly<Record<Name, FaultProxy>>
  readonly wrong = { stale: 0, revived: 0 }
  readonly errors = { elsewhere: 0, there: 0 }
  readonly surprises: string[] = []
  placed = 0

  static async build(stage: Stage): Promise<Fleet> {
    const servers = await Promise.all(names.map(async (name) => [name, (await stage.memcached()).address] as const))
    const proxies = await Promise.all(servers.map(async ([name, target]) => [name, await stage.proxy({ target })] as const))
    const addresses = proxies.map(([name, proxy]) => [name, proxy.address] as const)
    const options = { timeout: '700ms', patience: '1500ms', retryInterval: '50ms' } as const
    return new Fleet(
      stage.sessions(Object.fromEntries(addresses), options),
      stage.sessions(Object.fromEntries(servers), { timeout: '5000ms', patience: '10000ms' }),
      Object.fromEntries(proxies) as Record<Name, FaultProxy>,
    )
  }

  private constructor(sessions: TestSessions, direct: TestSessions, proxies: Readonly<Record<Name, FaultProxy>>) {
    this.sessions = sessions
    this.direct = direct
    this.proxies = proxies
  }

  /** A session on that very server. */
  async settle(name: Name): Promise<Resident> {
    for (;;) {
      const session = await this.direct.create({ tag: name })
      if (session.id?.endsWith(`~${name}`)) return new Resident(this, name, session.token as string)
    }
  }
}

/** A session that is used all the time. */
class Resident {
  readonly home: Name
  readonly token: string
  calls = 0
  readonly #fleet: Fleet
  /** What has been acknowledged, and what may have been stored besides. */
  #acknowledged = 0
  #unknown = 0

  constructor(fleet: Fleet, home: Name, token: string) {
    this.#fleet = fleet
    this.home = home
    this.token = token
  }

  /** Reads and counts until it is told to stop. */
  async live(victim: Name, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.#count(victim)
      await this.#read(victim)
      await sleep(5)
    }
  }

  /** What another process finds, when all is quiet. */
  async lookDirectly(): Promise<void> {
    const visits = await (await this.#fleet.direct.open(this.token))?.get('visits')
    if (visits === undefined) this.#fleet.surprises.push(`a session of ${this.home} is gone`)
    else this.#judge(visits, this.#acknowledged)
    this.#acknowledged = visits ?? 0
    this.#unknown = 0
  }

  async #count(victim: Name): Promise<void> {
    const before = this.#acknowledged
    try {
      const visits = await this.#fleet.sessions.resume(this.token).increment('visits')
      this.#judge(visits, before + 1)
      this.#acknowledged++
    } catch (error) {
      if (isFieldwiseError(error, 'OUTCOME_UNKNOWN')) this.#unknown++
      this.#fail(victim, error)
    }
    this.calls++
  }

  async #read(victim: Name): Promise<void> {
    try {
      this.#judge(await this.#fleet.sessions.resume(this.token).get('visits'), this.#acknowledged)
    } catch (error) {
      this.#fail(victim, error)
    }
    this.calls++
  }

  #judge(visits: number, least: number): void {
    if (visits < least) this.#fleet.wrong.stale++
    if (visits > least + this.#unknown) this.#fleet.surprises.push(`${visits} visits after ${least} and ${this.#unknown} unknown`)
  }

  #fail(victim: Name, error: unknown): void {
    if (this.home !== victim) this.#fleet.errors.elsewhere++
    else this.#fleet.errors.there++
    const known = isFieldwiseError(error) && ['STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'UPDATE_CONFLICT'].includes(error.code)
    if (!known || this.home !== victim) this.#fleet.surprises.push(`${this.home}: ${String(error)}`)
  }
}

/** One server is cut off under load and healed; some of its sessions log out before, some try to while it is away. */
async function playRound(fleet: Fleet, residents: readonly Resident[], chance: Chance): Promise<void> {
  const victim = chance.pick(names)
  const how: CutOff = chance.next() < 0.25 ? 'black-hole' : 'reset'
  let isOver = false
  const running = residents.map((resident) => resident.live(victim, () => isOver))
  const leavers = await Promise.all(Array.from({ length: 6 }, () => fleet.settle(victim)))
  const early = leavers.slice(0, 3).map(({ token }) => logOut(fleet, token))
  await early[0]
  fleet.proxies[victim].cutOff(how)
  const late = leavers.slice(3).map(({ token }) => logOut(fleet, token))
  await placeElsewhere(fleet, victim)
  const loggedOut = await Promise.all([...early, ...late])
  fleet.proxies[victim].heal()
  await until(() => isBack(fleet, victim, residents))
  isOver = true
  await Promise.all(running)
  for (const [index, isOut] of loggedOut.entries()) {
    const token = leavers[index]?.token as string
    const seen = await Promise.all([fleet.sessions.open(token), fleet.direct.open(token)])
    if (isOut && seen.some((session) => session !== null)) fleet.wrong.revived++
  }
  for (const resident of residents) await resident.lookDirectly()
}

/** Whether the end of the session was acknowledged. A request that is under way meanwhile keeps writing. */
async function logOut(fleet: Fleet, token: string): Promise<boolean> {
  const writing = fleet.sessions.resume(token)
  const writes = Array.from({ length: 3 }, () => writing.update('list', (list) => [...list, 'late']).catch(() => {}))
  try {
    await fleet.sessions.resume(token).destroy()
    await Promise.all(writes)
    return true
  } catch (error) {
    const known = isFieldwiseError(error) && ['STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN'].includes(error.code)
    if (!known) fleet.surprises.push(`logging out: ${String(error)}`)
    await Promise.all(writes)
    return false
  }
}

/** Once it is known that a server is away, new sessions go to the others without an error. */
async function placeElsewhere(fleet: Fleet, victim: Name): Promise<void> {
  let inARow = 0
  for (let attempt = 0; inARow < 5 && attempt < 2_000; attempt++) {
    try {
      const { id } = await fleet.sessions.create({ tag: 'new' })
      if (id?.endsWith(`~${victim}`)) throw new Error('a new session was stored on a server that is cut off')
      inARow++
    } catch (error) {
      inARow = 0
      if (!isFieldwiseError(error, 'STORE_UNAVAILABLE')) fleet.surprises.push(String(error))
      await sleep(5)
    }
  }
  fleet.placed += inARow
}

async function isBack(fleet: Fleet, victim: Name, residents: readonly Resident[]): Promise<boolean> {
  const resident = residents.find(({ home }) => home === victim) as Resident
  return fleet.sessions
    .resume(resident.token)
    .get('tag')
    .then(
      () => true,
      () => false,
    )
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
