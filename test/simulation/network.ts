import type { Command, Reply, SimulatedMemcached } from './memcached.js'
import type { Random } from './random.js'
import type { Owner, Scheduler } from './scheduler.js'

/** What may happen to a packet, each as a probability, and how long a packet is under way. */
export interface Faults {
  /** The mean time one way, in milliseconds. */
  readonly latency: number
  /** Between two commands of one flight: commands of other clients come in between. */
  readonly split: number
  /** The packet is held up, and everything behind it: by then the client may have given up. */
  readonly stall: number
  /** The packet and everything behind it never arrives, and nobody is told. */
  readonly lose: number
  /** The connection is reset, before or after the packet was delivered. */
  readonly reset: number
}

export const calm: Faults = { latency: 0.3, split: 0, stall: 0, lose: 0, reset: 0 }

/** A machine on the network. */
export interface Endpoint extends Owner {
  /** Until when nothing passes between this machine and the server. */
  readonly partitionedUntil: number
  /** Adds a line to the trace, if one is kept. */
  log(line: () => string): void
}

/** What the client's side of a connection hears. */
export interface Peer {
  connected(): void
  received(replies: readonly Reply[]): void
  /** Refused, reset, or gone with the server. Nothing follows. */
  ended(): void
}

type Fate =
  | { readonly kind: 'arrives'; readonly delay: number }
  | { readonly kind: 'overtaken'; readonly by: number }
  | { readonly kind: 'lost' }
  | { readonly kind: 'reset'; readonly delivered: boolean }

/** Lengths of a hold-up in milliseconds: below a request's timeout, above it, and longer than a late packet is usually thought to live. */
const stalls = [20, 200, 450, 700, 1_500, 4_000, 15_000, 70_000]

/** Ordered connections between machines and one memcached. */
export class Network {
  faults: Faults = calm
  downUntil = 0
  readonly server: SimulatedMemcached
  readonly scheduler: Scheduler
  readonly random: Random
  /** Told of every command that is carried out, and by whom it was sent. */
  witness: ((endpoint: Endpoint, command: Command) => void) | undefined
  #open: Connection[] = []
  /** Packets that wait until others of the same machine, over a newer connection, have overtaken them. */
  #overtaken: Overtaken[] = []

  constructor(scheduler: Scheduler, random: Random, server: SimulatedMemcached) {
    this.scheduler = scheduler
    this.random = random
    this.server = server
  }

  connect(endpoint: Endpoint, peer: Peer): Connection {
    const connection = new Connection(this, endpoint, peer)
    this.#open = this.#open.filter((other) => !other.isOver)
    this.#open.push(connection)
    return connection
  }

  /** Stops memcached and starts it again: everything stored is gone, every connection is reset. */
  restartServer(downtime: number): void {
    this.server.restart()
    this.downUntil = this.scheduler.now + downtime
    for (const connection of this.#open) connection.resetByServer()
  }

  /** Resets the connections of one machine. */
  cut(endpoint: Endpoint): void {
    for (const connection of this.#open) if (connection.endpoint === endpoint) connection.resetByServer()
  }

  /** What is under way from a machine that has crashed still arrives, or none of it. */
  crashed(endpoint: Endpoint): void {
    if (this.random.chance(0.5)) return
    for (const connection of this.#open) if (connection.endpoint === endpoint) connection.dropAll()
  }

  delay(): number {
    return this.faults.latency * (0.2 - Math.log(1 - this.random.next()) * 0.8)
  }

  fate(endpoint: Endpoint): Fate {
    if (endpoint.partitionedUntil > this.scheduler.now) return this.#partitioned(endpoint)
    const { lose, reset, stall } = this.faults
    const luck = this.random.next()
    if (luck < lose) return lost
    if (luck < lose + reset) return { kind: 'reset', delivered: this.random.chance(0.5) }
    if (luck >= lose + reset + stall) return { kind: 'arrives', delay: this.delay() }
    // The most awkward moment for a late packet is between two of its sender's later ones.
    if (this.random.chance(0.4)) return { kind: 'overtaken', by: 1 + this.random.below(5) }
    return { kind: 'arrives', delay: this.stall() }
  }

  /** Lets something happen when `by` more packets of a machine have reached the server. */
  whenOvertaken(endpoint: Endpoint, by: number, release: () => void): void {
    this.#overtaken.push({ endpoint, left: by, release })
  }

  /** A packet has reached the server. */
  passed(endpoint: Endpoint): void {
    for (const one of this.#overtaken) if (one.endpoint === endpoint) one.left--
    const due = this.#overtaken.filter((one) => one.left === 0)
    if (due.length === 0) return
    this.#overtaken = this.#overtaken.filter((one) => one.left > 0)
    for (const one of due) one.release()
  }

  #partitioned(endpoint: Endpoint): Fate {
    if (this.random.chance(0.5)) return lost
    return { kind: 'arrives', delay: endpoint.partitionedUntil - this.scheduler.now + this.delay() }
  }

  stall(): number {
    return this.random.pick(stalls) * this.random.between(0.5, 1.5)
  }
}

interface Overtaken {
  readonly endpoint: Endpoint
  left: number
  readonly release: () => void
}

const lost: Fate = { kind: 'lost' }

/** One TCP connection. Each direction delivers what was sent in order, or a prefix of it. */
export class Connection {
  readonly #network: Network
  readonly endpoint: Endpoint
  readonly #peer: Peer
  /** Answers that have arrived: taken in order, however the events that announce them are shuffled. */
  readonly #inbox: (readonly Reply[])[] = []
  #run = 0
  #reachesServer = 0
  #reachesClient = 0
  /** Packets that are kept back. */
  #held: (readonly Command[])[] | undefined
  /** Nothing that is sent from now on reaches the server. */
  #deaf = false
  /** Nothing that the server says from now on reaches the client. */
  #mute = false
  /** What is under way to the server is dropped too. */
  #dropped = false
  #closed = false

  constructor(network: Network, endpoint: Endpoint, peer: Peer) {
    this.#network = network
    this.endpoint = endpoint
    this.#peer = peer
    this.#dial()
  }

  get isOver(): boolean {
    return this.#closed
  }

  /** Sends commands in one write, which the network may cut into several packets. */
  send(commands: readonly Command[]): void {
    for (const packet of this.#packets(commands)) this.#sendPacket(packet)
  }

  /** The client is done with this connection. What it has sent already may still arrive, much later. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#deaf = true
    this.#dropped = this.#network.random.chance(0.5)
  }

  dropAll(): void {
    this.#deaf = true
    this.#dropped = true
  }

  resetByServer(): void {
    this.dropAll()
    this.#mute = true
    this.#reset()
  }

  #dial(): void {
    const fate = this.#network.fate(this.endpoint)
    if (fate.kind === 'lost') {
      this.#deaf = true
      return
    }
    const delay = fate.kind === 'arrives' ? fate.delay : fate.kind === 'overtaken' ? this.#network.stall() : this.#network.delay()
    this.#network.scheduler.after(delay, () => this.#accept())
  }

  #accept(): void {
    if (this.#network.downUntil > this.#network.scheduler.now) return this.#reset()
    this.#run = this.#network.server.run
    this.#tell(() => this.#peer.connected())
  }

  #packets(commands: readonly Command[]): (readonly Command[])[] {
    if (this.#network.faults.split === 0) return [commands]
    const packets: Command[][] = []
    for (const command of commands) {
      const packet = packets.at(-1)
      if (packet === undefined || this.#network.random.chance(this.#network.faults.split)) packets.push([command])
      else packet.push(command)
    }
    return packets
  }

  #sendPacket(packet: readonly Command[]): void {
    if (this.#deaf) return
    const fate = this.#network.fate(this.endpoint)
    if (this.#held) return void this.#held.push(packet)
    if (fate.kind === 'arrives') return this.#deliverAfter(fate.delay, packet)
    if (fate.kind === 'overtaken') return this.#hold(packet, fate.by)
    this.#deaf = true
    if (fate.kind === 'lost') return
    this.#reset()
    if (!fate.delivered) return
    this.#mute = true
    this.#deliverAfter(this.#network.delay(), packet)
  }

  /** Keeps back a packet and all that follow it on this connection. */
  #hold(packet: readonly Command[], by: number): void {
    this.#held = [packet]
    this.#network.whenOvertaken(this.endpoint, by, () => {
      const packets = this.#held ?? []
      this.#held = undefined
      for (const one of packets) this.#deliverAfter(0, one)
    })
  }

  #deliverAfter(delay: number, packet: readonly Command[]): void {
    const { scheduler } = this.#network
    this.#reachesServer = Math.max(this.#reachesServer, scheduler.now + delay)
    scheduler.at(this.#reachesServer, () => this.#deliver(packet))
  }

  #deliver(packet: readonly Command[]): void {
    const { server } = this.#network
    if (this.#dropped || this.#run !== server.run) return
    this.#network.passed(this.endpoint)
    const replies = packet.map((command) => {
      this.#network.witness?.(this.endpoint, command)
      return server.execute(command)
    })
    this.#reply(replies)
  }

  #reply(replies: readonly Reply[]): void {
    if (this.#mute || this.#closed) return
    const fate = this.#network.fate(this.endpoint)
    if (fate.kind === 'arrives') return this.#receiveAfter(fate.delay, replies)
    if (fate.kind === 'overtaken') return this.#receiveAfter(this.#network.stall(), replies)
    this.#mute = true
    // A loss begins somewhere in the stream: the answers before it still arrive.
    const arrived = replies.slice(0, this.#network.random.below(replies.length + 1))
    if (arrived.length > 0) this.#receiveAfter(this.#network.delay(), arrived)
    if (fate.kind === 'reset') this.#reset()
  }

  #receiveAfter(delay: number, replies: readonly Reply[]): void {
    const { scheduler } = this.#network
    this.#reachesClient = Math.max(this.#reachesClient, scheduler.now + delay)
    this.#inbox.push(replies)
    scheduler.at(this.#reachesClient, () => this.#receive(), this.endpoint)
  }

  #receive(): void {
    const replies = this.#inbox.shift()
    if (!this.#closed && replies) this.#peer.received(replies)
  }

  #reset(): void {
    this.#tell(() => {
      this.close()
      this.#peer.ended()
    })
  }

  #tell(what: () => void): void {
    const act = () => {
      if (!this.#closed) what()
    }
    this.#network.scheduler.after(this.#network.delay(), act, this.endpoint)
  }
}
