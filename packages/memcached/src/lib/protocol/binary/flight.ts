import type { FieldwiseError } from 'fieldwise'
import type { Flight, StoreAnswer, StoreRequest, Version } from 'fieldwise/store-contract'
import { conflict, done, FlightCommand, missing, stored } from '../../connection/flight-command.js'
import { Outbox } from '../../connection/outbox.js'
import { type Fate, ProtocolError, type ProtocolHost } from '../../connection/protocol.js'
import { outOfMemory, tooLarge, unsent } from '../../connection/refusal.js'
import { type MemjsClient, type Performed, parseReply } from './memjs-client.js'
import { checkReply, explainStatus, isSuccess, Status, valueIn } from './reply.js'
import { opcodes, requestText } from './request.js'
import { BinaryVersion, versionIn } from './version.js'

/** What the flights of one connection share. */
export interface BinaryConnection {
  readonly client: MemjsClient
  readonly host: ProtocolHost
  /** What its versions are bound to. Empty, since versions may be kept for long after the connection is gone. */
  readonly origin: object
}

/** One flight: its requests, which leave in one piece, and their replies. */
export class BinaryFlight extends FlightCommand {
  readonly #client: MemjsClient
  readonly #origin: object
  #performed: Performed<number> | undefined
  #failure: StoreAnswer | undefined
  /** The number (opaque) of the request whose reply is due. The requests of a flight have consecutive numbers. */
  #opaque = -1

  constructor(
    { client, host, origin }: BinaryConnection,
    requests: readonly StoreRequest[],
    deadline: number,
    resolve: (flight: Flight) => void,
  ) {
    super(host, requests, deadline, resolve)
    this.#client = client
    this.#origin = origin
  }

  override encode(out: Outbox): void {
    const own = new Outbox()
    super.encode(own)
    if (own.isEmpty) return
    this.#performed = this.#client.perform<number>(own.parts, this.#opaque, (error, at) =>
      this.finish(this.#failure, error === null ? at : this.host.serverTime()),
    )
    for (const part of this.#performed.parts) out.add(part)
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

  protected encodeRequest(request: StoreRequest, keyLength: number, out: Outbox): void {
    const opaque = this.#client.nextOpaque()
    if (this.#opaque < 0) this.#opaque = opaque
    out.text(requestText(request, keyLength, opaque, this.host))
    if ('value' in request) out.bytes(request.value)
  }

  protected readReply(request: StoreRequest, bytes: Buffer, start: number): number {
    const largest = isRead(request) ? this.host.itemSizeMax : largestWithoutValue
    const end = checkReply(bytes, start, opcodes[request.op], this.#opaque, largest)
    if (end < 0) return end
    this.#opaque = (this.#opaque + 1) >>> 0
    this.answer(this.#readAnswer(request, bytes, start, end))
    return end
  }

  protected isCurrent(version: Version): boolean {
    return version instanceof BinaryVersion && version.origin === this.#origin
  }

  /** Successful reads and writes are read in place, since memjs makes four slices and two objects of each. All other replies are left to memjs. */
  #readAnswer(request: StoreRequest, bytes: Buffer, start: number, end: number): StoreAnswer {
    if (isSuccess(bytes, start)) {
      if (isRead(request)) return this.#found(bytes, start, end)
      if (request.op === 'add' || request.op === 'replace') return this.#stored(bytes, start)
    }
    return answerOf(request, parseReply(bytes.subarray(start, end)).header.status)
  }

  #found(bytes: Buffer, start: number, end: number): StoreAnswer {
    const value = valueIn(bytes, start, end)
    const version = versionIn(bytes, start, this.#origin)
    if (version === undefined) throw new ProtocolError('gives items no version (memcached -C): start it without -C')
    return { result: 'found', value, version }
  }

  #stored(bytes: Buffer, start: number): StoreAnswer {
    const version = versionIn(bytes, start, this.#origin)
    return version === undefined ? stored : { result: 'stored', version }
  }
}

function isRead({ op }: StoreRequest): boolean {
  return op === 'get' || op === 'compare' || op === 'getAndTouch'
}

/** In bytes. A reply without a value holds a few words of error at most. */
const largestWithoutValue = 1_024

function answerOf(request: StoreRequest, status: number): StoreAnswer {
  switch (status) {
    case Status.ok:
      return done
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
      return unsent(outOfMemory())
  }
  throw new ProtocolError(explainStatus(status))
}
