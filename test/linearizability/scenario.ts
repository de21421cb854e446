import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { historySeed, Random } from '../simulation/random.js'
import type { Protocol } from '../support/scripted-server.js'
import { bySession, checkHistory, type Violation } from './checker.js'
import type { ClientProcess, Pool, Task, WorkNews } from './clients.js'
import { type Call, describeCall, type Incident, readJournal } from './history.js'
import { type Deeds, type Seat, torment } from './nemesis.js'
import { drawWeather, startWay } from './network.js'
import { Server } from './server.js'
import { Slots } from './slots.js'

export interface ScenarioOptions {
  readonly protocol: Protocol
  readonly seed: number
  /** Whether clients drop the versions of what they replace. */
  readonly isForgetful?: boolean
}

/** How much was asked for, and what came back. */
interface Tally {
  readonly histories: number
  readonly calls: number
  readonly unknown: number
  /** How many sessions ended because memcached had evicted one of their fields. */
  readonly lost: number
}

/** What one scenario came to. */
export interface Played extends ScenarioOptions {
  readonly tally: Tally
  readonly deeds: Deeds
  /** Of the network. */
  readonly faults: number
  /** What the clients complained of, and what they should not have done. */
  readonly surprises: readonly string[]
  readonly violations: readonly Violation[]
}

/** Several clients, two servers and a bad network between them for some seconds; then all is quiet, and every history is checked. */
export async function playScenario(options: ScenarioOptions, pool: Pool): Promise<Played> {
  await using stage = await Stage.open(options, pool)
  const deeds = await stage.play()
  const { calls, surprises, incidents, faults } = await stage.close()
  const sessions = bySession(calls)
  const violations: Violation[] = []
  for (const own of sessions.values()) {
    violations.push(...checkHistory(own, incidents))
    // The ways of other scenarios lead through this process.
    await setImmediate()
  }
  return { ...options, tally: tallyOf(calls, sessions.size), deeds, faults, surprises, violations }
}

function tallyOf(calls: readonly Call[], histories: number): Tally {
  const unknown = calls.filter(({ outcome }) => outcome === 'unknown').length
  const lost = new Set(calls.filter(({ gone }) => gone === 'lost').map(({ session }) => session)).size
  return { histories, calls: calls.length, unknown, lost }
}

/** What was found, how to see it again, and where all calls of the sessions concerned are. Empty if nothing was. */
export function describeFailure({ protocol, seed, surprises, violations }: Played): string {
  if (surprises.length === 0 && violations.length === 0) return ''
  const folder = mkdtempSync(join(tmpdir(), 'fieldwise-histories-'))
  for (const [index, { calls }] of violations.entries()) {
    writeFileSync(join(folder, `${index}.txt`), `${[...calls].sort(byBeginning).map(describeCall).join('\n')}\n`)
  }
  return [
    `scenario ${seed} (${protocol}): repeat with FIELDWISE_SEED=${seed} npm test -- test/linearizability -t ${protocol}`,
    ...surprises.slice(0, 5),
    ...violations
      .slice(0, 5)
      .flatMap(({ session, field = '', found }, index) => [
        `${session} ${field}, all calls in ${join(folder, `${index}.txt`)}:`,
        ...found.slice(0, 3).map((one) => `  ${one}`),
      ]),
  ].join('\n')
}

class Stage implements AsyncDisposable {
  readonly #options: ScenarioOptions
  readonly #pool: Pool
  readonly #servers: readonly [Server, Server]
  readonly #random: Random
  readonly #folder = mkdtempSync(join(tmpdir(), 'fieldwise-scenario-'))
  readonly #seats: Seat[] = []
  /** The clients that are there. */
  readonly #clients = new Set<ClientProcess>()
  readonly #slots = new Slots(slots, this.#clients)
  /** Of each task that was given to a client. */
  readonly #journals: string[] = []
  readonly #works: Promise<string[]>[] = []
  #acknowledged = 0

  static async open(options: ScenarioOptions, pool: Pool): Promise<Stage> {
    const [one, two] = await Promise.all([Server.start('one'), Server.start('two')])
    const stage = new Stage(options, pool, [one, two])
    await stage.#seat()
    return stage
  }

  private constructor(options: ScenarioOptions, pool: Pool, servers: readonly [Server, Server]) {
    this.#options = options
    this.#pool = pool
    this.#servers = servers
    this.#random = new Random(historySeed(options.seed, options.protocol, 0))
  }

  async play(): Promise<Deeds> {
    // On a busy machine the first connections take a while; nobody is to be struck before there is something to lose.
    const filling = setInterval(() => this.#slots.fill(), 20)
    await this.#slots.used
    const scene = { seats: this.#seats, servers: this.#servers, replace: (seat: Seat) => this.#replace(seat) }
    try {
      const [deeds] = await Promise.all([torment(scene, this.#random.fork(), span), sleep(span)])
      // A busy machine comes to little in that time, and where next to nothing was done, nothing is shown.
      while (this.#acknowledged < least) await sleep(20)
      return deeds
    } finally {
      clearInterval(filling)
    }
  }

  /** Ends all clients, and all that is still on its way; then every session is looked at over a network without faults. */
  async close(): Promise<{ calls: Call[]; surprises: string[]; incidents: Incident[]; faults: number }> {
    const ways = this.#seats.flatMap(({ ways }) => ways)
    for (const client of this.#clients) client.order({ kind: 'stop' })
    await this.#untilDone()
    for (const way of ways) way.release()
    await Promise.all(ways.map((way) => way[Symbol.asyncDispose]()))
    const look = [...this.#slots.tokens.values()]
    this.#work((this.#seats[0] as Seat).client, { servers: addressesOf(this.#servers), timeout: '5000ms', look })
    const failures = await this.#untilDone()
    const journals = this.#journals.map(readJournal)
    return {
      calls: journals.flatMap(({ calls }) => calls),
      surprises: [...failures, ...journals.flatMap(({ surprises }) => surprises)],
      incidents: this.#servers.flatMap(({ incidents }) => incidents),
      faults: ways.reduce((sum, { faults }) => sum + faults.length, 0),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) this.#pool.giveBack(client)
    await Promise.all(this.#seats.flatMap(({ ways }) => ways).map((way) => way[Symbol.asyncDispose]()))
    await Promise.all(this.#servers.map((server) => server[Symbol.asyncDispose]()))
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #seat(): Promise<void> {
    const weather = drawWeather(this.#random)
    for (let seat = 0; seat < seats; seat++) {
      const start = ({ address }: Server) => startWay(address, this.#options.protocol, weather, this.#random.fork())
      const ways = await Promise.all(this.#servers.map(start))
      this.#seats.push({ client: this.#startClient(addressesOf(ways)), ways })
    }
    await Promise.all(this.#seats.map(({ client }) => client.ready))
  }

  #startClient(servers: Task['servers']): ClientProcess {
    const client = this.#pool.take()
    this.#clients.add(client)
    this.#work(client, { servers, timeout: '400ms' })
    this.#slots.welcome(client)
    return client
  }

  #work(client: ClientProcess, task: Pick<Task, 'servers' | 'timeout' | 'look'>): void {
    const { protocol, isForgetful = false } = this.#options
    const name = `p${this.#journals.length}`
    const journal = join(this.#folder, name)
    this.#journals.push(journal)
    const whole = { name, journal, seed: this.#random.bits(), protocol, isForgetful, abreast, slots, ...task }
    this.#works.push(client.work(whole, (news) => this.#hear(news)))
  }

  #hear(news: WorkNews): void {
    if (news.kind === 'progress') this.#acknowledged += news.calls
    else this.#slots.hear(news)
  }

  /** What was wrong with all that clients were asked to do. */
  async #untilDone(): Promise<string[]> {
    const timer = setTimeout(() => [...this.#clients].map((client) => client.abort()), patience)
    const failures = await Promise.all(this.#works)
    clearTimeout(timer)
    return failures.flat()
  }

  #replace(seat: Seat): void {
    this.#clients.delete(seat.client)
    seat.client.kill()
    this.#pool.giveBack(seat.client)
    seat.client = this.#startClient(addressesOf(seat.ways))
  }
}

const seats = 3
const abreast = 4
const slots = 4
/** For how long clients are tormented, how many calls must have gone well by then, and how long their ends may take; in milliseconds. */
const span = 3_000
const least = 200
const patience = 60_000

/** Sessions are placed by their server's label, by whatever way it is reached. */
function addressesOf([one, two]: readonly { readonly address: string }[]): Record<string, string> {
  if (one === undefined || two === undefined) throw new Error('a scenario has two servers')
  return { one: one.address, two: two.address }
}

function byBeginning(one: Call, other: Call): number {
  return one.began - other.began
}
