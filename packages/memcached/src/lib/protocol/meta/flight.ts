import type { CompareRequest, Flight, StoreAnswer, StoreRequest, Version } from 'fieldwise/store-contract'
import { exptime } from '../../connection/expiry.js'
import { conflict, done, FlightCommand, missing, stored } from '../../connection/flight-command.js'
import { keyText } from '../../connection/key.js'
import type { Outbox } from '../../connection/outbox.js'
import { ForeignLine, ProtocolError, type ProtocolHost } from '../../connection/protocol.js'
import { refusedWrite, type Write } from '../../connection/refusal.js'
import { classicText, isClassic, readVerdict } from './classic-write.js'
import { Code, type MetaReply } from './reply.js'

/** What the flights of one connection share. */
export interface MetaConnection {
  readonly host: ProtocolHost
  /** What its versions are bound to. Empty, since versions may be kept for long after the connection is gone. */
  readonly origin: object
  /** The line that is being read. */
  readonly reply: MetaReply
  /** Whether the server makes room for new items by evicting old ones. */
  readonly evicts: boolean
  nextOpaque(): number
}

/** One flight: its requests, which leave in one piece, and their replies. */
export class MetaFlight extends FlightCommand {
  readonly #connection: MetaConnection
  /** The number (opaque) of the request whose reply is due. The requests of a flight have consecutive numbers. */
  #opaque = -1

  constructor(
    connection: MetaConnection,
    requests: readonly StoreRequest[],
    deadline: number,
    resolve: (flight: Flight) => void,
  ) {
    super(connection.host, requests, deadline, resolve)
    this.#connection = connection
  }

  protected encodeRequest(request: StoreRequest, keyLength: number, out: Outbox): void {
    const opaque = this.#connection.nextOpaque()
    if (this.#opaque < 0) this.#opaque = opaque
    const key = keyText(request.key, keyLength)
    if ('value' in request && isClassic(request, this.#connection.evicts)) return this.#encodeClassic(request, key, opaque, out)
    out.text(commands[request.op])
    out.text(key)
    this.#encodeFlags(request, out)
    out.text(`${opaque}`)
    out.text('\r\n')
    if (!('value' in request)) return
    out.bytes(request.value)
    out.text('\r\n')
  }

  /** The reply to a classic command carries no number, so it is followed by a `mg` for the same key, whose reply does. */
  #encodeClassic(request: Write, key: string, opaque: number, out: Outbox): void {
    out.text(classicText(request, key, this.#exptime(request.ttl), casOf(request)))
    out.bytes(request.value)
    out.text(`\r\nmg ${key} O${opaque}\r\n`)
  }

  #encodeFlags(request: StoreRequest, out: Outbox): void {
    switch (request.op) {
      case 'get':
        out.text(' v c t O')
        break
      case 'compare':
        // A version of another connection cannot be compared (W3), so the item is read.
        out.text(this.isCurrent(request.knownVersion) ? ' c t O' : ' v c t O')
        break
      case 'getAndTouch':
        out.text(` v c t T${this.#exptime(request.ttl)} O`)
        break
      case 'add':
        out.text(` ${request.value.length} ME c T${this.#exptime(request.ttl)} O`)
        break
      case 'replace':
        out.text(` ${request.value.length} ${condition(casOf(request))} c T${this.#exptime(request.ttl)} O`)
        break
      case 'delete':
        out.text(' O')
        break
      case 'touch':
        out.text(` T${this.#exptime(request.ttl)} O`)
    }
  }

  #exptime(ttl: number): number {
    return exptime(ttl, this.host.serverTime())
  }

  protected readReply(request: StoreRequest, bytes: Buffer, start: number): number {
    if ('value' in request && isClassic(request, this.#connection.evicts)) return this.#readClassic(request, bytes, start)
    const reply = this.#connection.reply
    let end: number
    try {
      end = reply.read(bytes, start)
    } catch (error) {
      return start + this.#acceptRefusal(request, error)
    }
    if (end < 0) return end
    this.#assertDue(reply.opaque)
    if (reply.code === Code.VA) return this.#readValue(request, bytes, start, end)
    return request.op === 'compare' && reply.code === Code.HD ? this.#readVersion(request, end) : this.#readPlain(request, end)
  }

  /** Reads the reply to a classic command together with the reply to the `mg` behind it: both count, or neither. */
  #readClassic(request: Write, bytes: Buffer, start: number): number {
    const verdict = readVerdict(request, bytes, start)
    if (typeof verdict === 'number') return verdict
    const reply = this.#connection.reply
    const end = reply.read(bytes, verdict.end)
    if (end < 0) return end - (verdict.end - start)
    this.#assertDue(reply.opaque)
    if (reply.code !== Code.HD && reply.code !== Code.EN) throw unfit()
    this.#accept(verdict.answer)
    return end
  }

  #assertDue(opaque: number): void {
    if (opaque !== this.#opaque) throw new ProtocolError('answered another request than the one that was due')
  }

  protected isCurrent(version: Version | undefined): version is MetaVersion {
    return version instanceof MetaVersion && version.origin === this.#connection.origin
  }

  #readValue(request: StoreRequest, bytes: Buffer, start: number, line: number): number {
    const reply = this.#connection.reply
    if (!this.#isValueDue(request)) throw unfit()
    if (reply.size > this.host.itemSizeMax) throw new ProtocolError('sent an answer that is larger than any to this request')
    const end = line + reply.size + 2
    if (end > bytes.length) return -(end - start)
    if (bytes[end - 2] !== 0x0d || bytes[end - 1] !== 0x0a) throw unfit()
    if (reply.cas === 0) throw new ProtocolError('gives items no version (memcached -C): start it without -C')
    const version = new MetaVersion(this.#connection.origin, reply.cas)
    this.#accept({ result: 'found', value: bytes.subarray(line, end - 2), version, ttl: ttlIn(reply) })
    return end
  }

  #isValueDue(request: StoreRequest): boolean {
    if (request.op === 'compare') return !this.isCurrent(request.knownVersion)
    return request.op === 'get' || request.op === 'getAndTouch'
  }

  #readVersion({ knownVersion }: CompareRequest, end: number): number {
    const reply = this.#connection.reply
    if (!this.isCurrent(knownVersion)) throw unfit()
    this.#accept(reply.cas === knownVersion.cas ? { result: 'same', ttl: ttlIn(reply) } : changed)
    return end
  }

  #readPlain(request: StoreRequest, end: number): number {
    const { code, cas } = this.#connection.reply
    const answer = meanings[request.op][code]
    if (answer === undefined) throw unfit()
    this.#accept(answer === stored && cas !== 0 ? this.#storedAs(cas) : answer)
    return end
  }

  #storedAs(cas: number | string): StoreAnswer {
    return { result: 'stored', version: new MetaVersion(this.#connection.origin, cas) }
  }

  /** An `ms` that the server refuses is answered, in its turn, by a line without a number. The old item is deleted then (W11). */
  #acceptRefusal(request: StoreRequest, error: unknown): number {
    if (!(error instanceof ForeignLine) || !('value' in request)) throw error
    const refusal = refusedWrite(request, error)
    if (refusal === undefined) throw error
    this.#accept({ result: 'lost', error: refusal })
    return error.length
  }

  #accept(answer: StoreAnswer): void {
    this.#opaque = (this.#opaque + 1) >>> 0
    this.answer(answer)
  }
}

/** A version is valid on the connection that read it (W3). */
class MetaVersion {
  readonly origin: object
  readonly cas: number | string

  constructor(origin: object, cas: number | string) {
    this.origin = origin
    this.cas = cas
  }
}

const commands: Readonly<Record<StoreRequest['op'], string>> = {
  get: 'mg ',
  compare: 'mg ',
  getAndTouch: 'mg ',
  add: 'ms ',
  replace: 'ms ',
  delete: 'md ',
  touch: 'mg ',
}

function casOf(request: Write): number | string | undefined {
  return 'version' in request ? (request.version as MetaVersion | undefined)?.cas : undefined
}

function condition(cas: number | string | undefined): string {
  return cas === undefined ? 'MR' : `C${cas}`
}

const meanings: Readonly<Record<StoreRequest['op'], Readonly<Record<number, StoreAnswer>>>> = {
  get: { [Code.EN]: missing },
  compare: { [Code.EN]: missing },
  getAndTouch: { [Code.EN]: missing },
  add: { [Code.HD]: stored, [Code.NS]: conflict },
  replace: { [Code.HD]: stored, [Code.NS]: missing, [Code.NF]: missing, [Code.EX]: conflict },
  delete: { [Code.HD]: done, [Code.NF]: missing },
  touch: { [Code.HD]: done, [Code.EN]: missing },
}

function ttlIn({ ttl }: MetaReply): number {
  return ttl < 0 ? Number.POSITIVE_INFINITY : ttl * 1_000
}

const changed: StoreAnswer = Object.freeze({ result: 'changed' })

function unfit(): ProtocolError {
  return new ProtocolError('sent an answer that does not fit the request')
}
