import { createServer, type Server, Socket } from 'node:net'
import { answerLength, type RequestFrame, readRequest } from './frames.js'
import type { Chance } from './scale.js'
import type { Protocol } from './scripted-server.js'

/** `requests` flow from the client to memcached, `replies` back. */
export type Direction = 'requests' | 'replies'

/** What happens to a link once a number of bytes have passed in one direction. */
export type Act =
  /** Both sides are closed in an orderly way. */
  | 'cut'
  /** Both sides are reset. */
  | 'reset'
  /** This direction ends; the other one goes on. */
  | 'half-close'
  /** This direction holds its bytes until `release`, even if the sender has closed by then. */
  | 'stall'
  /** From now on nothing passes in either direction, and neither side hears of it. */
  | 'black-hole'

/** What becomes of one request and its answer. */
export type Fate =
  | 'pass'
  /** memcached carries it out, its answer alone is dropped. */
  | 'swallow'
  /** memcached carries it out, then the link is reset in place of the answer. */
  | 'swallow and reset'
  /** The link is reset before memcached sees it. */
  | 'lose'
  /** It and all that follows waits until `release`: then memcached carries it out, whether or not the client is still there. */
  | 'hold'
  | Cut

/** Something that happens at a byte of a request, or of its answer. 0 is before the first one. */
interface Cut {
  readonly direction: Direction
  readonly at: number
  readonly act: Act
}

/** A request on its way. */
export interface Passing {
  readonly link: Link
  readonly command: RequestFrame['command']
  readonly key: string
  /** How many bytes the request takes, and how many its answer took, once it has come. */
  readonly size: number
  answerSize: number
}

export interface FaultProxyOptions {
  /** `127.0.0.1:port` of the memcached behind. */
  readonly target: string
  /** Called for each link when it begins. */
  readonly plan?: (link: Link) => void
  /** Called for each request beyond the greeting. Needs `protocol`. */
  readonly judge?: (passing: Passing) => Fate
  readonly protocol?: Protocol
}

/** How a server is cut off: connections are reset and new ones too, or everything sent to it vanishes. */
export type CutOff = 'reset' | 'black-hole'

/** A TCP proxy on a loopback port of its own that does to a connection what networks do. */
export class FaultProxy implements AsyncDisposable {
  /** Every link that ever was, in order. */
  readonly links: Link[] = []
  /** When each fault happened, on {@link moment}. */
  readonly faults: number[] = []
  readonly options: FaultProxyOptions
  judge: FaultProxyOptions['judge']
  readonly #server: Server
  #cutOff: CutOff | undefined

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    const proxy = new FaultProxy(server, options)
    server.on('connection', (client) => proxy.#accept(client))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  private constructor(server: Server, options: FaultProxyOptions) {
    this.#server = server
    this.options = options
    this.judge = options.judge
  }

  get address(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy is closed')
    return `127.0.0.1:${address.port}`
  }

  /** The links whose client is still there. */
  get living(): Link[] {
    return this.links.filter((link) => !link.isLeft)
  }

  /** The youngest link. */
  get link(): Link {
    const link = this.links.at(-1)
    if (link === undefined) throw new Error('nobody has connected yet')
    return link
  }

  /** Cuts the server off until {@link heal}: for the links there are, and for all that come. */
  cutOff(how: CutOff): void {
    this.#cutOff = how
    for (const link of this.living) link.act(how, 'replies')
  }

  /** The links there are go on, for as long as they live; new ones are reset until {@link heal}. */
  refuseOthers(): void {
    this.#cutOff = 'reset'
  }

  heal(): void {
    this.#cutOff = undefined
    for (const link of this.links) if (link.isBlackHole) link.reset()
  }

  /** Lets everything go that is stalled or held. */
  release(): void {
    for (const link of this.links) link.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const link of this.links) link.reset()
    await closed
  }

  #accept(client: Socket): void {
    const link = new Link(this, client, this.links.length)
    this.links.push(link)
    if (this.#cutOff !== undefined) return link.act(this.#cutOff, 'replies')
    link.open()
    this.options.plan?.(link)
  }
}

/** One connection through the proxy. */
export class Link {
  readonly index: number
  readonly client: Socket
  readonly requests: Pipe
  readonly replies: Pipe
  isBlackHole = false
  readonly #proxy: FaultProxy
  readonly #server = new Socket({ allowHalfOpen: true })
  readonly #target: string
  readonly #exchanges: Exchanges | undefined

  constructor(proxy: FaultProxy, client: Socket, index: number) {
    this.#proxy = proxy
    this.client = client
    this.index = index
    this.#target = proxy.options.target
    this.requests = new Pipe(this, 'requests', this.#server)
    this.replies = new Pipe(this, 'replies', client)
    const { protocol } = proxy.options
    this.#exchanges = protocol && new Exchanges(protocol, this, (passing) => proxy.judge?.(passing) ?? 'pass')
    this.#listen()
  }

  /** Whether the client has closed its side. */
  get isLeft(): boolean {
    return this.client.destroyed || this.client.readableEnded
  }

  open(): void {
    const [host, port] = this.#target.split(':')
    this.#server.connect(Number(port), host as string)
  }

  /** Does something to this link when `after` more bytes have passed, and with the first one where `after` is 0. */
  trap(direction: Direction, after: number, act: Act): void {
    this[direction].trap(after, act)
  }

  act(act: Act, direction: Direction): void {
    this.#proxy.faults.push(moment())
    switch (act) {
      case 'cut':
        return this.cut()
      case 'reset':
        return this.reset()
      case 'half-close':
        return this[direction].end()
      case 'stall':
        return this[direction].stall()
      case 'black-hole':
        return this.blackHole()
    }
  }

  /** What one request came to: notes it where it is a fault. */
  noteFault(): void {
    this.#proxy.faults.push(moment())
  }

  cut(): void {
    this.client.destroySoon()
    this.#server.destroySoon()
  }

  reset(): void {
    this.requests.drop()
    this.replies.drop()
    this.client.resetAndDestroy()
    this.#server.destroy()
  }

  /** Sockets stay as they are; whatever either side sends vanishes, its end included. */
  blackHole(): void {
    this.isBlackHole = true
    this.requests.drop()
    this.replies.drop()
  }

  release(): void {
    this.requests.release()
    this.replies.release()
    if (this.isBlackHole && this.isLeft) this.reset()
  }

  #listen(): void {
    const { client } = this
    client.setNoDelay(true)
    this.#server.setNoDelay(true)
    client.on('data', (chunk) => (this.#exchanges ? this.#exchanges.takeRequests(chunk) : this.requests.push(chunk)))
    this.#server.on('data', (chunk) => (this.#exchanges ? this.#exchanges.takeReplies(chunk) : this.replies.push(chunk)))
    for (const socket of [client, this.#server]) socket.on('error', () => {})
    client.on('end', () => this.#close(this.requests))
    client.on('close', () => this.#close(this.requests))
    this.#server.on('end', () => this.#close(this.replies))
    this.#server.on('close', () => this.#close(this.replies))
  }

  /** One side has closed; the other one hears of it behind the bytes that are still to pass. */
  #close(pipe: Pipe): void {
    if (!this.isBlackHole) pipe.close()
  }
}

/** One direction of a link. */
export class Pipe {
  /** How many bytes have passed. */
  passed = 0
  /** How long each piece of bytes is kept, in milliseconds. */
  delay: (() => number) | undefined
  /** How many of the bytes to come are passed on one by one. */
  singly = 0
  readonly #link: Link
  readonly #direction: Direction
  readonly #to: Socket
  #queue: Buffer[] = []
  #trap: { readonly at: number; readonly act: Act } | undefined
  #state: 'flows' | 'stalls' | 'vanishes' = 'flows'
  #pumping = false
  #closing = false

  constructor(link: Link, direction: Direction, to: Socket) {
    this.#link = link
    this.#direction = direction
    this.#to = to
  }

  trap(after: number, act: Act): void {
    this.#trap = { at: this.passed + after, act }
  }

  push(chunk: Buffer): void {
    if (this.#state === 'vanishes') return
    this.#queue.push(chunk)
    if (!this.#pumping) void this.#pump()
  }

  /** The sender has ended. */
  close(): void {
    this.#closing = true
    if (!this.#pumping && this.#state === 'flows') this.end()
  }

  end(): void {
    this.drop()
    if (!this.#to.destroyed) this.#to.end()
  }

  stall(): void {
    if (this.#state === 'flows') this.#state = 'stalls'
  }

  release(): void {
    if (this.#state !== 'stalls') return
    this.#state = 'flows'
    if (!this.#pumping) void this.#pump()
  }

  get isOpen(): boolean {
    return this.#state !== 'vanishes'
  }

  /** What has not passed yet vanishes, and all that is to come. */
  drop(): void {
    this.#state = 'vanishes'
    this.#queue = []
  }

  async #pump(): Promise<void> {
    this.#pumping = true
    while (this.#state === 'flows' && this.#queue.length > 0) {
      const delay = this.delay?.() ?? 0
      if (delay > 0) await sleep(delay)
      const chunk = this.#queue.shift()
      if (chunk === undefined) break
      const rest = this.singly > 0 ? await this.#passSingly(chunk) : this.#pass(chunk)
      if (rest.length > 0 && this.isOpen) this.#queue.unshift(rest)
    }
    this.#pumping = false
    if (this.#closing && this.#state === 'flows') this.end()
  }

  /** Gives what is left of `chunk` when this direction does not flow any more, or when enough was passed singly. */
  async #passSingly(chunk: Buffer): Promise<Buffer> {
    let rest = chunk
    while (rest.length > 0 && this.singly > 0 && this.#state === 'flows') {
      this.singly--
      const byte = this.#pass(rest.subarray(0, 1))
      rest = rest.subarray(1 - byte.length)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return rest
  }

  /** Passes on what may pass before a trap is sprung, and gives the rest. */
  #pass(chunk: Buffer): Buffer {
    const trap = this.#trap
    const room = trap === undefined ? chunk.length : Math.min(chunk.length, trap.at - this.passed)
    if (room > 0) this.#write(chunk.subarray(0, room))
    if (trap !== undefined && this.passed >= trap.at) {
      this.#trap = undefined
      this.#link.act(trap.act, this.#direction)
    }
    return chunk.subarray(room)
  }

  #write(bytes: Buffer): void {
    this.passed += bytes.length
    if (!this.#to.destroyed && this.#to.writable) this.#to.write(bytes)
  }
}

/** Follows requests and their answers through a link. */
class Exchanges {
  readonly #protocol: Protocol
  readonly #link: Link
  readonly #judge: (passing: Passing) => Fate
  #requests: Buffer = Buffer.alloc(0)
  #replies: Buffer = Buffer.alloc(0)
  readonly #due: Due[] = []

  constructor(protocol: Protocol, link: Link, judge: (passing: Passing) => Fate) {
    this.#protocol = protocol
    this.#link = link
    this.#judge = judge
  }

  takeRequests(chunk: Buffer): void {
    this.#requests = joined(this.#requests, chunk)
    for (let frame = readRequest(this.#protocol, this.#requests); frame; frame = readRequest(this.#protocol, this.#requests)) {
      const bytes = this.#requests.subarray(0, frame.length)
      this.#requests = this.#requests.subarray(frame.length)
      this.#takeRequest(frame, bytes)
    }
  }

  takeReplies(chunk: Buffer): void {
    this.#replies = joined(this.#replies, chunk)
    for (let due = this.#due[0]; due !== undefined; due = this.#due[0]) {
      const length = answerLength(this.#protocol, this.#replies, due.answeredBy)
      if (length === 0) return
      const bytes = this.#replies.subarray(0, length)
      this.#replies = this.#replies.subarray(length)
      this.#due.shift()
      due.passing.answerSize = length
      this.#takeReply(due.fate, bytes)
    }
  }

  #takeRequest({ command, key, length, answeredBy }: RequestFrame, bytes: Buffer): void {
    const link = this.#link
    const passing = { link, command, key, size: length, answerSize: 0 }
    const fate = command === 'greeting' ? 'pass' : this.#judge(passing)
    this.#due.push({ answeredBy, fate, passing })
    if (typeof fate === 'object') {
      if (fate.direction === 'requests') link.trap('requests', fate.at, fate.act)
    } else if (fate !== 'pass') link.noteFault()
    if (fate === 'lose') return link.reset()
    if (fate === 'hold') link.requests.stall()
    link.requests.push(bytes)
  }

  #takeReply(fate: Fate, bytes: Buffer): void {
    const link = this.#link
    if (fate === 'swallow and reset') return link.reset()
    if (typeof fate === 'object' && fate.direction === 'replies') link.trap('replies', fate.at, fate.act)
    if (fate !== 'swallow') link.replies.push(bytes)
  }
}

interface Due {
  readonly answeredBy: RequestFrame['answeredBy']
  readonly fate: Fate
  readonly passing: Passing
}

/** What the network does to a link, drawn from a seed. `often` is how many bytes pass, more or less, before something happens. */
export function drawFault(link: Link, chance: Pick<Chance, 'next' | 'below' | 'pick'>, often: number): void {
  const after = Math.floor(-Math.log(1 - chance.next()) * often)
  link.trap(chance.pick(directions), after, chance.pick(acts))
  const pipe = link[chance.pick(directions)]
  if (chance.next() < 0.1) pipe.singly = chance.below(2_000)
  if (chance.next() < 0.1) pipe.delay = () => chance.next() * 3
  // Bytes that stalled are delivered after the client gave up, or before.
  const patience = 20 + chance.below(300)
  link.client.once('end', () => setTimeout(() => link.release(), chance.below(20)).unref())
  setTimeout(() => link.release(), patience).unref()
}

const directions: readonly Direction[] = ['requests', 'replies']
const acts: readonly Act[] = ['cut', 'cut', 'reset', 'reset', 'reset', 'half-close', 'half-close', 'stall', 'stall', 'black-hole']

/** Milliseconds on a clock that all processes of this machine share. */
function moment(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

function joined(one: Buffer, other: Buffer): Buffer {
  return one.length === 0 ? other : Buffer.concat([one, other])
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
