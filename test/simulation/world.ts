import type { Store } from '../../packages/fieldwise/src/lib/api/store.js'
import type { Environment } from '../../packages/fieldwise/src/lib/environment/environment.js'
import { RunningClock } from '../../packages/fieldwise/src/lib/environment/running-clock.js'
import { SimulatedFleet } from './fleet.js'
import { SimulatedMemcached } from './memcached.js'
import { type Endpoint, type Faults, Network } from './network.js'
import { Random } from './random.js'
import { Scheduler } from './scheduler.js'
import { SimulatedStore, type StoreOptions } from './store.js'

/** When a simulated world begins: any moment that is not a whole second. */
const epoch = 1_700_000_000_377

export interface WorldOptions {
  readonly seed: number
  /** Called with a line for each thing that happens. */
  readonly trace?: (line: string) => void
}

/** One memcached, a network that fails, and the processes that share it, all driven by one seed in virtual time. */
export class World {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly server: SimulatedMemcached
  readonly network: Network
  /** The one to each server; the first is {@link network}. */
  readonly networks: Network[]
  readonly hosts: Host[] = []
  /** The simulation's own part in it: never paused, never crashed. */
  readonly #observer = { pausedUntil: 0, crashed: false }
  readonly #trace: ((line: string) => void) | undefined

  constructor({ seed, trace }: WorldOptions) {
    this.random = new Random(seed)
    const shuffle = this.random.fork()
    this.scheduler = new Scheduler(() => shuffle.next())
    this.server = new SimulatedMemcached(() => this.serverTime(), 1_048_000)
    this.network = new Network(this.scheduler, this.random.fork(), this.server)
    this.networks = [this.network]
    this.#trace = trace
    if (trace) this.#traceServer(this.server, 'memcached')
  }

  /** Another memcached, whose clock is off by so much. */
  addServer(skew: number): void {
    const server = new SimulatedMemcached(() => this.serverTime() + skew, 1_048_000)
    if (this.#trace) this.#traceServer(server, `memcached ${this.networks.length}`)
    this.networks.push(new Network(this.scheduler, this.random.fork(), server))
  }

  get now(): number {
    return this.scheduler.now
  }

  /** The true time of memcached's clock. */
  serverTime(): number {
    return epoch + this.scheduler.now
  }

  host(options: HostOptions = {}): Host {
    const host = new Host(this, `p${this.hosts.length + 1}`, options)
    this.hosts.push(host)
    return host
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.scheduler.after(milliseconds, resolve, this.#observer))
  }

  /** Does something at a moment to come. */
  later(milliseconds: number, what: () => void): void {
    this.scheduler.after(milliseconds, what, this.#observer)
  }

  setFaults(faults: Faults): void {
    for (const network of this.networks) network.faults = faults
  }

  /** Plays a script to its end. False when it hangs: nothing is left to happen and the script is not over. */
  async play(script: Promise<void>): Promise<boolean> {
    let over = false
    let failure: unknown
    script.then(
      () => {
        over = true
      },
      (error) => {
        over = true
        failure = error
      },
    )
    await this.scheduler.run(() => over)
    if (failure !== undefined) throw failure
    return over
  }

  log(line: () => string): void {
    this.#trace?.(`${this.now.toFixed(2).padStart(12)}  ${line()}`)
  }

  #traceServer(server: SimulatedMemcached, name: string): void {
    const execute = server.execute.bind(server)
    server.execute = (command) => {
      const reply = execute(command)
      const key = 'key' in command ? ` ${command.key}` : ''
      const value = 'value' in command ? ` ${describe(command.value)}` : ''
      const cas = 'cas' in command && command.cas !== undefined ? ` cas ${command.cas}` : ''
      const life = 'ttl' in command ? ` life ${command.ttl}` : ''
      const found = reply.result === 'found' ? ` ${describe(reply.value)} cas ${reply.cas} life ${reply.life}` : ''
      this.log(() => `${name}  ${command.op}${key}${cas}${life}${value} -> ${reply.result}${found}`)
      return reply
    }
  }
}

export interface HostOptions extends StoreOptions {
  /** How far this machine's clock is off, in milliseconds. */
  readonly skew?: number
  /** Whether its running clock beats, and so finds out by itself that the process stood still. Without it, it is told, which takes fewer events. */
  readonly beats?: boolean
  /** Whether it spreads its sessions over all servers. */
  readonly fleet?: boolean
}

/** One web server's process: what the core takes its time, chance and storage from. */
export class Host implements Endpoint {
  readonly name: string
  readonly world: World
  readonly runtime: Environment
  readonly clock: { now(): number }
  readonly store: Store
  pausedUntil = 0
  partitionedUntil = 0
  crashed = false
  readonly #pauses: [from: number, until: number][] = []
  readonly #onCrash = new Set<() => void>()

  constructor(world: World, name: string, options: HostOptions) {
    const random = world.random.fork()
    const start = random.between(0, 1e6)
    this.world = world
    this.name = name
    const monotonic = () => start + world.now
    const running = options.beats ? this.#beatingClock(monotonic) : this.#toldClock(monotonic)
    this.runtime = {
      monotonic,
      running: () => running.now(),
      bytes: (size) => random.bytes(size),
      random: () => random.next(),
      sleep: (milliseconds, idly = false) => running.sleep(milliseconds, idly),
    }
    this.clock = { now: () => world.serverTime() + (options.skew ?? 0) }
    const one = (network: Network) => new SimulatedStore(network, this, options)
    this.store = options.fleet ? new SimulatedFleet(world.networks.map(one)) : one(world.network)
  }

  log(line: () => string): void {
    this.world.log(() => `${this.name}  ${line()}`)
  }

  pause(milliseconds: number): void {
    const from = Math.max(this.pausedUntil, this.world.now)
    this.pausedUntil = Math.max(this.pausedUntil, this.world.now + milliseconds)
    this.#pauses.push([from, this.pausedUntil])
    this.log(() => `paused for ${Math.round(milliseconds)} ms`)
  }

  /** Finds out by its beats that the process stood still, as it does in earnest. */
  #beatingClock(monotonic: () => number): RunningClock {
    return new RunningClock({
      monotonic,
      after: (milliseconds, ring) => {
        const timer = this.world.scheduler.after(milliseconds, ring, this)
        return { keepAlive: () => {}, cancel: () => timer.cancel() }
      },
      // What a process finds on waking is all heard within a millisecond.
      afterPoll: (ring) => void this.world.scheduler.after(1, ring, this),
    })
  }

  /** Knows how long the process stood still. */
  #toldClock(monotonic: () => number): Pick<RunningClock, 'now' | 'sleep'> {
    const now = () => monotonic() - this.#stood
    const sleepUntil = async (at: number): Promise<void> => {
      // At least a little: a step too small for the scheduler's numbers would never end.
      while (now() < at) {
        const left = Math.max(at - now(), 0.001)
        await new Promise<void>((wake) => void this.world.scheduler.after(left, wake, this))
      }
    }
    return { now, sleep: (milliseconds) => sleepUntil(now() + milliseconds) }
  }

  /** How long this process has not run so far. */
  get #stood(): number {
    return this.#pauses.length === 0 ? 0 : this.pausedBetween(0, this.world.now)
  }

  /** How much of a stretch of time this process did not run. A pause ends with what it finds on waking, a little later. */
  pausedBetween(from: number, until: number): number {
    return this.#pauses.reduce((sum, pause) => sum + Math.max(0, Math.min(until, pause[1] + 1) - Math.max(from, pause[0])), 0)
  }

  partition(milliseconds: number): void {
    this.partitionedUntil = Math.max(this.partitionedUntil, this.world.now + milliseconds)
    this.log(() => `cut off for ${Math.round(milliseconds)} ms`)
  }

  crash(): void {
    this.crashed = true
    this.log(() => `crashed`)
    for (const network of this.world.networks) network.crashed(this)
    for (const tell of this.#onCrash) tell()
  }

  /** What a call that may die with this process comes to: its own outcome, or `whenCrashed`. */
  outlive<T>(call: Promise<T>, whenCrashed: T): Promise<T> {
    if (this.crashed) return Promise.resolve(whenCrashed)
    return new Promise((resolve, reject) => {
      const tell = () => resolve(whenCrashed)
      this.#onCrash.add(tell)
      call.then(resolve, reject).finally(() => this.#onCrash.delete(tell))
    })
  }
}

function describe(value: Buffer): string {
  const text = value.toString('latin1').replace(/[^ -~]+/g, '.')
  return `<${value.length} bytes ${value.subarray(1, 9).toString('hex')} ${text.slice(-60)}>`
}
