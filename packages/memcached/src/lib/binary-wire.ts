import { type FieldwiseError, StoreUnavailableError } from 'fieldwise'
import type { Flight, StoreAnswer, StoreRequest, Version } from 'fieldwise/store-contract'
import memjs from 'memjs'
import { exptime } from './expiry.js'
import { conflict, done, FlightExchange, missing, stored } from './flight-exchange.js'
import { tooLarge, unsent } from './refusal.js'
import { type Stats, serverFacts } from './server-facts.js'
import {
  type Bytes,
  type Credentials,
  type Done,
  type Exchange,
  type Fate,
  readForeign,
  type ServerFacts,
  type Wire,
  WireError,
  type WireHost,
} from './wire.js'

/**
 * memcached's binary protocol through memjs: memjs numbers, builds, hands on and takes apart what is sent and received. Its own
 * connection class mixes up answers after a reconnect and sends writes twice, so a {@link Port} to our connection stands in for it.
 */
export class BinaryWire implements Wire {
  readonly silenceHint = "memcached -Y, -Z and -B ascii take protocol: 'meta'"
  readonly host: WireHost
  readonly #credentials: Credentials | undefined
  readonly #port = new Port()
  readonly #client: memjs.Client

  constructor(host: WireHost, credentials: Credentials | undefined) {
    this.host = host
    this.#credentials = credentials
    // memjs asks no more of a server than Port has. One "retry" is the first and only attempt.
    this.#client = new memjs.Client([this.#port as unknown as memjs.Server], { retries: 1, failover: false, logger: silent })
  }

  async greet(deadline: number): Promise<ServerFacts> {
    if (this.#credentials !== undefined) await this.#logIn(this.#credentials, deadline)
    const [[version], general, settings] = await Promise.all([
      this.#ask(deadline, { opcode: Opcode.version, judge: succeeds }),
      this.#ask(deadline, { opcode: Opcode.stat, judge: succeeds }),
      this.#ask(deadline, { opcode: Opcode.stat, key: 'settings', judge: succeeds }),
    ])
    return serverFacts(textOf(version), statsOf(general), statsOf(settings))
  }

  flight(requests: readonly StoreRequest[], deadline: number, resolve: (flight: Flight) => void): Exchange {
    return new BinaryFlight(this, requests, deadline, resolve)
  }

  ping(deadline: number, done: Done): Exchange {
    const resolve = (_replies: unknown, at: number): void => done.resolve(at)
    return new BinaryCommand(this, { opcode: Opcode.noop, judge: succeeds }, deadline, { ...done, resolve })
  }

  /** The number of the next request. memjs counts in signed 32-bit numbers and would be below zero after 2^31 requests. */
  nextOpaque(): number {
    this.#client.incrSeq()
    return this.#client.seq >>> 0
  }

  /**
   * Has memjs carry requests to its server, the {@link Port}, and call back with what is answered there. memjs hands on what it is given
   * without a look, so the parts need not be joined yet.
   */
  perform<Reply>(
    parts: readonly Buffer[],
    opaque: number,
    settle: (error: FieldwiseError | null, reply: Reply) => void,
  ): Performed<Reply> {
    this.#client.perform('', parts as unknown as Buffer, opaque, settle as (error: Error | null, ...rest: unknown[]) => void)
    return this.#port.take<Reply>()
  }

  /** SASL PLAIN (RFC 4616). A server without SASL needs no login and is not shown the password. */
  async #logIn({ username, password }: Credentials, deadline: number): Promise<void> {
    const [offer] = await this.#ask(deadline, { opcode: Opcode.saslList, judge: succeedsIfKnown })
    if (offer?.header.status === Status.unknownCommand) return
    if (!textOf(offer).split(' ').includes('PLAIN')) {
      throw new WireError("offers no SASL PLAIN: add it to mech_list in the server's SASL configuration")
    }
    const value = `\0${username}\0${password}`
    await this.#ask(deadline, { opcode: Opcode.saslAuth, key: 'PLAIN', value, judge: logsIn })
  }

  #ask(deadline: number, command: Command): Promise<memjs.Response[]> {
    return new Promise((resolve, reject) => {
      this.host.ask(new BinaryCommand(this, command, deadline, { resolve, reject }))
    })
  }
}

/** A command that is no part of a session. */
interface Command {
  readonly opcode: number
  readonly key?: string
  readonly value?: string
  /** Called with the status of each reply. @throws {WireError} when it is the end of this connection. */
  judge(status: number): void
}

/** What memjs takes for its server: it hands over the bytes to send and whom to call, and gives up nothing to memjs's own ideas. */
class Port {
  readonly host = 'memcached'
  readonly port = 0
  #respond: ((reply: never) => void) | undefined
  #reject: ((error: FieldwiseError) => void) | undefined
  #parts: readonly Buffer[] = []

  onResponse(_opaque: number, respond: (reply: never) => void): void {
    this.#respond = respond
  }

  onError(_opaque: number, reject: (error: FieldwiseError) => void): void {
    this.#reject = reject
  }

  write(parts: readonly Buffer[]): void {
    this.#parts = parts
  }

  close(): void {}

  take<Reply>(): Performed<Reply> {
    return { parts: this.#parts, respond: this.#respond, reject: this.#reject } as Performed<Reply>
  }
}

interface Performed<Reply> {
  readonly parts: readonly Buffer[]
  respond(reply: Reply): void
  reject(error: FieldwiseError): void
}

const silent = { log(): void {} }

/** protocol_binary.h: the commands that are used here. */
const Opcode = {
  get: 0x00,
  add: 0x02,
  replace: 0x03,
  delete: 0x04,
  noop: 0x0a,
  version: 0x0b,
  stat: 0x10,
  touch: 0x1c,
  saslList: 0x20,
  saslAuth: 0x21,
} as const

/** protocol_binary.h: the answers that are told apart here. */
const Status = {
  ok: 0x00,
  missing: 0x01,
  exists: 0x02,
  tooLarge: 0x03,
  notStored: 0x05,
  authFailed: 0x20,
  unknownCommand: 0x81,
  outOfMemory: 0x82,
  busy: 0x85,
  temporaryFailure: 0x86,
} as const

/** A version is good on the connection that read it. The number is kept as two halves: a slice of the answer would keep all of it. */
class BinaryVersion {
  readonly wire: BinaryWire
  readonly high: number
  readonly low: number

  constructor(wire: BinaryWire, cas: Buffer) {
    this.wire = wire
    this.high = cas.readUInt32BE(0)
    this.low = cas.readUInt32BE(4)
  }

  get isNone(): boolean {
    return this.high === 0 && this.low === 0
  }
}

/** The requests of one flight as one piece of bytes, and their replies. */
class BinaryFlight extends FlightExchange {
  readonly #wire: BinaryWire
  #performed: Performed<number> | undefined
  #failure: StoreAnswer | undefined
  /** The number of the request whose reply is due. All requests of a flight are numbered in a row. */
  #opaque = -1

  constructor(wire: BinaryWire, requests: readonly StoreRequest[], deadline: number, resolve: (flight: Flight) => void) {
    super(wire.host, requests, deadline, resolve)
    this.#wire = wire
  }

  override encode(out: Bytes[]): void {
    const parts: Buffer[] = []
    super.encode(parts)
    if (parts.length === 0) return
    this.#performed = this.#wire.perform<number>(parts, this.#opaque, (error, at) =>
      this.finish(this.#failure, error === null ? at : this.host.serverTime()),
    )
    for (const part of this.#performed.parts) out.push(part)
  }

  override settle(at: number): void {
    if (this.#performed === undefined) super.settle(at)
    else if (!this.settled) this.#performed.respond(at)
  }

  override fail(fate: Fate, error: FieldwiseError): void {
    if (this.#performed === undefined) return super.fail(fate, error)
    if (this.settled) return
    this.#failure = { result: fate, error }
    this.#performed.reject(error)
  }

  protected encodeRequest(request: StoreRequest, keyLength: number, out: Bytes[]): void {
    const opaque = this.#wire.nextOpaque()
    if (this.#opaque < 0) this.#opaque = opaque
    out.push(request.op === 'get' ? getBytes(request.key, keyLength, opaque) : requestBytes(request, opaque, this.host))
  }

  protected readReply(request: StoreRequest, bytes: Buffer, start: number): number {
    const reply = readReply(bytes, start, opcodes[request.op], this.#opaque, this.host.itemSizeMax)
    if (typeof reply === 'number') return reply
    this.#opaque = (this.#opaque + 1) >>> 0
    this.answer(answerOf(this.#wire, request, reply))
    return start + headerLength + reply.header.totalBodyLength
  }

  protected isCurrent(version: Version): boolean {
    return version instanceof BinaryVersion && version.wire === this.#wire
  }
}

/** A command that is no part of a session: login, version, statistics, noop. */
class BinaryCommand implements Exchange {
  calledAt = 0
  sentAt = 0
  settled = false
  complete = false
  deadline: number
  readonly #wire: BinaryWire
  readonly #command: Command
  readonly #done: { resolve(replies: memjs.Response[], at: number): void; reject(error: FieldwiseError): void }
  readonly #replies: memjs.Response[] = []
  #performed: Performed<number> | undefined
  #opaque = 0

  constructor(
    wire: BinaryWire,
    command: Command,
    deadline: number,
    done: { resolve(replies: memjs.Response[], at: number): void; reject(error: FieldwiseError): void },
  ) {
    this.#wire = wire
    this.#command = command
    this.deadline = deadline
    this.#done = done
  }

  encode(out: Bytes[]): void {
    const { opcode, key = '', value = '' } = this.#command
    this.#opaque = this.#wire.nextOpaque()
    const bytes = memjs.Utils.makeRequestBuffer(opcode, key, none, value, this.#opaque)
    this.#performed = this.#wire.perform<number>([bytes], this.#opaque, (error, at) => this.#finish(error, at))
    out.push(...this.#performed.parts)
  }

  /** Statistics come as one reply each and end with an empty one; everything else is one reply. */
  read(bytes: Buffer, start: number): number {
    const reply = readReply(bytes, start, this.#command.opcode, this.#opaque, largestCommandReply)
    if (typeof reply === 'number') return reply
    this.#command.judge(reply.header.status)
    this.#replies.push(reply)
    if (this.#replies.length > mostStats) throw new WireError('sends statistics without end')
    this.complete = this.#command.opcode !== Opcode.stat || reply.header.totalBodyLength === 0
    return start + headerLength + reply.header.totalBodyLength
  }

  settle(at: number): void {
    if (!this.settled) this.#performed?.respond(at)
  }

  fail(_fate: Fate, error: FieldwiseError): void {
    if (this.settled) return
    if (this.#performed === undefined) this.#finish(error, Number.NaN)
    else this.#performed.reject(error)
  }

  #finish(error: FieldwiseError | null, at: number): void {
    this.settled = true
    if (error === null) this.#done.resolve(this.#replies, at)
    else this.#done.reject(error)
  }
}

const headerLength = 24
const none = Buffer.alloc(0)
const largestCommandReply = 65_536
const mostStats = 4_096

const opcodes: Readonly<Record<StoreRequest['op'], number>> = {
  get: Opcode.get,
  add: Opcode.add,
  replace: Opcode.replace,
  delete: Opcode.delete,
  touch: Opcode.touch,
}

/**
 * A get, written into a copy of the frame that memjs builds for a key of this length. memjs takes 1.7 µs to build a request, most of it
 * for two zeroed buffers, and a session's reads are the hot path.
 */
function getBytes(key: string, keyLength: number, opaque: number): Buffer {
  const frame = getFrames[keyLength] ?? makeGetFrame(keyLength)
  const bytes = Buffer.allocUnsafe(headerLength + keyLength)
  bytes.set(frame)
  bytes.writeUInt32BE(opaque, 12)
  bytes.write(key, headerLength, keyLength === key.length ? 'latin1' : 'utf8')
  return bytes
}

const getFrames: Buffer[] = []

function makeGetFrame(keyLength: number): Buffer {
  const whole = memjs.Utils.makeRequestBuffer(Opcode.get, Buffer.alloc(keyLength), none, none, 0)
  const frame = whole.subarray(0, headerLength)
  getFrames[keyLength] = frame
  return frame
}

/** Replace, not set, carries a version: a set that the server refuses, out of memory for one, deletes the old item. */
function requestBytes(request: StoreRequest, opaque: number, host: WireHost): Buffer {
  const value = 'value' in request ? request.value : none
  const bytes = memjs.Utils.makeRequestBuffer(opcodes[request.op], request.key, extrasOf(request, host), value, opaque)
  if (request.op === 'replace' && request.version !== undefined) writeVersion(bytes, request.version as BinaryVersion)
  return bytes
}

function extrasOf(request: StoreRequest, host: WireHost): Buffer {
  if (!('life' in request)) return none
  const expiration = memjs.Utils.makeExpiration(exptime(request.life, host.serverTime()))
  return request.op === 'touch' ? expiration : Buffer.concat([noFlags, expiration])
}

const noFlags = Buffer.alloc(4)

function writeVersion(bytes: Buffer, version: BinaryVersion): void {
  bytes.writeUInt32BE(version.high, 16)
  bytes.writeUInt32BE(version.low, 20)
}

/** One reply; or, when it is not all there, minus the bytes needed. Everything is checked before memjs takes it apart. */
function readReply(bytes: Buffer, start: number, opcode: number, opaque: number, largest: number): memjs.Response | number {
  if (bytes[start] !== responseMagic) return readForeign(bytes, start)
  const there = bytes.length - start
  if (there < headerLength) return -headerLength
  if (bytes[start + 1] !== opcode || bytes.readUInt32BE(start + 12) !== opaque) {
    throw new WireError('answered another request than the one that was due')
  }
  const body = bytes.readUInt32BE(start + 8)
  if (bytes.readUInt16BE(start + 2) + (bytes[start + 4] as number) > body) {
    throw new WireError('sent an answer whose lengths contradict each other')
  }
  if (body > largest) throw new WireError('sent an answer that is larger than any item')
  const length = headerLength + body
  return there < length ? -length : memjs.Utils.parseMessage(bytes.subarray(start, start + length))
}

const responseMagic = 0x81

function answerOf(wire: BinaryWire, request: StoreRequest, reply: memjs.Response): StoreAnswer {
  switch (reply.header.status) {
    case Status.ok:
      return successOf(wire, request, reply)
    case Status.missing:
      if (request.op !== 'add') return missing
      break
    case Status.exists:
      if (request.op === 'add' || request.op === 'replace') return conflict
      break
    case Status.tooLarge:
      if ('value' in request) return unsent(tooLarge(request.key, request.value.length, request.value.length - 1))
      break
    case Status.outOfMemory:
      return unsent(new StoreUnavailableError('memcached has no memory for this item'))
  }
  throw new WireError(explainStatus(reply.header.status))
}

function successOf(wire: BinaryWire, request: StoreRequest, reply: memjs.Response): StoreAnswer {
  if (request.op === 'add' || request.op === 'replace') return stored
  if (request.op !== 'get') return done
  if (reply.extras.length !== 4 || reply.key.length !== 0)
    throw new WireError('sent an answer whose lengths contradict each other')
  const version = new BinaryVersion(wire, reply.header.cas)
  if (version.isNone) throw new WireError('gives items no version (memcached -C): start it without -C')
  return { result: 'found', value: reply.val, version: version satisfies Version }
}

function succeeds(status: number): void {
  if (status !== Status.ok) throw new WireError(explainStatus(status))
}

function succeedsIfKnown(status: number): void {
  if (status !== Status.unknownCommand) succeeds(status)
}

function logsIn(status: number): void {
  if (status === Status.authFailed) throw new WireError('refuses this username and password')
  succeeds(status)
}

function textOf(reply: memjs.Response | undefined): string {
  return reply?.val.toString('latin1') ?? ''
}

function statsOf(replies: readonly memjs.Response[]): Stats {
  return new Map(replies.map((reply) => [reply.key.toString('latin1'), textOf(reply)]))
}

function explainStatus(status: number): string {
  switch (status) {
    case Status.authFailed:
      return 'asks for a password (SASL): give username and password'
    case Status.unknownCommand:
      return 'does not know a command that sessions need: is a proxy in between? Connect to memcached itself'
    default:
      return `answered with status 0x${status.toString(16)}, which does not belong to the request`
  }
}
