import type { FieldwiseError } from 'fieldwise'
import memjs from 'memjs'

/** A reply as memjs takes it apart. */
export type Reply = memjs.Response

/**
 * What is used of memjs: its client counts the requests and carries them out and their answers back; it builds requests and takes replies
 * apart. Its own connection class mixes up answers after a reconnect and sends writes twice, so a {@link Port} to our connection stands
 * in for it. This is the only file that knows memjs.
 */
export class MemjsClient {
  readonly #port = new Port()
  readonly #client: memjs.Client

  constructor() {
    // memjs asks no more of a server than Port has. One "retry" is the first and only attempt.
    this.#client = new memjs.Client([this.#port as unknown as memjs.Server], { retries: 1, failover: false, logger: silent })
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
  perform<Result>(
    parts: readonly Buffer[],
    opaque: number,
    settle: (error: FieldwiseError | null, result: Result) => void,
  ): Performed<Result> {
    this.#client.perform('', parts as unknown as Buffer, opaque, settle as (error: Error | null, ...rest: unknown[]) => void)
    return this.#port.take<Result>()
  }
}

/** Builds a request (protocol_binary.h). */
export function buildRequest(opcode: number, key: string, extras: Buffer, value: Buffer | string, opaque: number): Buffer {
  return memjs.Utils.makeRequestBuffer(opcode, key, extras, value, opaque)
}

/** The four bytes of an expiration. */
export function buildExpiration(exptime: number): Buffer {
  return memjs.Utils.makeExpiration(exptime)
}

/**
 * A get, written into a copy of the frame that memjs builds for a key of this length. memjs takes 1.7 µs to build a request, most of it
 * for two zeroed buffers, and a session's reads are the hot path.
 */
export function buildGet(key: string, keyLength: number, opaque: number): Buffer {
  const frame = getFrames[keyLength] ?? makeGetFrame(keyLength)
  const bytes = Buffer.allocUnsafe(headerLength + keyLength)
  bytes.set(frame)
  bytes.writeUInt32BE(opaque, 12)
  bytes.write(key, headerLength, keyLength === key.length ? 'latin1' : 'utf8')
  return bytes
}

const getFrames: Buffer[] = []

function makeGetFrame(keyLength: number): Buffer {
  const whole = memjs.Utils.makeRequestBuffer(opcodeGet, Buffer.alloc(keyLength), '', '', 0)
  const frame = whole.subarray(0, headerLength)
  getFrames[keyLength] = frame
  return frame
}

/** Takes a whole reply apart. Its lengths must have been checked. */
export function parseReply(bytes: Buffer): Reply {
  return memjs.Utils.parseMessage(bytes)
}

const headerLength = 24
const opcodeGet = 0x00

/** What memjs takes for its server: it hands over the bytes to send and whom to call, and gives up nothing to memjs's own ideas. */
class Port {
  readonly host = 'memcached'
  readonly port = 0
  #respond: ((result: never) => void) | undefined
  #reject: ((error: FieldwiseError) => void) | undefined
  #parts: readonly Buffer[] = []

  onResponse(_opaque: number, respond: (result: never) => void): void {
    this.#respond = respond
  }

  onError(_opaque: number, reject: (error: FieldwiseError) => void): void {
    this.#reject = reject
  }

  write(parts: readonly Buffer[]): void {
    this.#parts = parts
  }

  close(): void {}

  take<Result>(): Performed<Result> {
    return { parts: this.#parts, respond: this.#respond, reject: this.#reject } as Performed<Result>
  }
}

/** A request on its way: what to send, and whom to tell how it ended. */
export interface Performed<Result> {
  readonly parts: readonly Buffer[]
  respond(result: Result): void
  reject(error: FieldwiseError): void
}

const silent = { log(): void {} }
