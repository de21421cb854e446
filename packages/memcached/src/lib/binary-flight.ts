import { type FieldwiseError, StoreUnavailableError } from 'fieldwise'
import type { Flight, StoreAnswer, StoreRequest, Version } from 'fieldwise/store-contract'
import { explainStatus, headerLength, Opcode, readReply, Status } from './binary-reply.js'
import { exptime } from './expiry.js'
import { conflict, done, FlightExchange, missing, stored } from './flight-exchange.js'
import { buildExpiration, buildGet, buildRequest, type MemjsClient, type Performed, type Reply } from './memjs-client.js'
import { tooLarge, unsent } from './refusal.js'
import { type Bytes, type Fate, WireError, type WireHost } from './wire.js'

/** The requests of one flight as one piece of bytes, and their replies. */
export class BinaryFlight extends FlightExchange {
  readonly #client: MemjsClient
  #performed: Performed<number> | undefined
  #failure: StoreAnswer | undefined
  /** The number of the request whose reply is due. All requests of a flight are numbered in a row. */
  #opaque = -1

  constructor(
    client: MemjsClient,
    host: WireHost,
    requests: readonly StoreRequest[],
    deadline: number,
    resolve: (flight: Flight) => void,
  ) {
    super(host, requests, deadline, resolve)
    this.#client = client
  }

  override encode(out: Bytes[]): void {
    const parts: Buffer[] = []
    super.encode(parts)
    if (parts.length === 0) return
    this.#performed = this.#client.perform<number>(parts, this.#opaque, (error, at) =>
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
    const opaque = this.#client.nextOpaque()
    if (this.#opaque < 0) this.#opaque = opaque
    out.push(request.op === 'get' ? buildGet(request.key, keyLength, opaque) : requestBytes(request, opaque, this.host))
  }

  protected readReply(request: StoreRequest, bytes: Buffer, start: number): number {
    const reply = readReply(bytes, start, opcodes[request.op], this.#opaque, this.host.itemSizeMax)
    if (typeof reply === 'number') return reply
    this.#opaque = (this.#opaque + 1) >>> 0
    this.answer(answerOf(this.host, request, reply))
    return start + headerLength + reply.header.totalBodyLength
  }

  protected isCurrent(version: Version): boolean {
    return version instanceof BinaryVersion && version.connection === this.host
  }
}

/** A version is good on the connection that read it. The number is kept as two halves: a slice of the answer would keep all of it. */
class BinaryVersion {
  readonly connection: WireHost
  readonly high: number
  readonly low: number

  constructor(connection: WireHost, cas: Buffer) {
    this.connection = connection
    this.high = cas.readUInt32BE(0)
    this.low = cas.readUInt32BE(4)
  }

  get isNone(): boolean {
    return this.high === 0 && this.low === 0
  }
}

const none = Buffer.alloc(0)

const opcodes: Readonly<Record<StoreRequest['op'], number>> = {
  get: Opcode.get,
  add: Opcode.add,
  replace: Opcode.replace,
  delete: Opcode.delete,
  touch: Opcode.touch,
}

/** Replace, not set, carries a version: a set that the server refuses, out of memory for one, deletes the old item. */
function requestBytes(request: StoreRequest, opaque: number, host: WireHost): Buffer {
  const value = 'value' in request ? request.value : none
  const bytes = buildRequest(opcodes[request.op], request.key, extrasOf(request, host), value, opaque)
  if (request.op === 'replace' && request.version !== undefined) writeVersion(bytes, request.version as BinaryVersion)
  return bytes
}

function extrasOf(request: StoreRequest, host: WireHost): Buffer {
  if (!('life' in request)) return none
  const expiration = buildExpiration(exptime(request.life, host.serverTime()))
  return request.op === 'touch' ? expiration : Buffer.concat([noFlags, expiration])
}

const noFlags = Buffer.alloc(4)

function writeVersion(bytes: Buffer, version: BinaryVersion): void {
  bytes.writeUInt32BE(version.high, 16)
  bytes.writeUInt32BE(version.low, 20)
}

function answerOf(host: WireHost, request: StoreRequest, reply: Reply): StoreAnswer {
  switch (reply.header.status) {
    case Status.ok:
      return successOf(host, request, reply)
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

function successOf(host: WireHost, request: StoreRequest, reply: Reply): StoreAnswer {
  if (request.op === 'add' || request.op === 'replace') return stored
  if (request.op !== 'get') return done
  if (reply.extras.length !== 4 || reply.key.length !== 0)
    throw new WireError('sent an answer whose lengths contradict each other')
  const version = new BinaryVersion(host, reply.header.cas)
  if (version.isNone) throw new WireError('gives items no version (memcached -C): start it without -C')
  return { result: 'found', value: reply.val, version: version satisfies Version }
}
