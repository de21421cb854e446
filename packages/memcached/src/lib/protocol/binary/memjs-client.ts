import type { FieldwiseError } from 'fieldwise'
import memjs from 'memjs'
import type { Bytes } from '../../connection/outbox.js'

/** A reply as memjs takes it apart. */
export type Reply = memjs.Response

/**
 * What is used of memjs: its client, which numbers the requests, passes them on and brings back their answers, and its functions that build
 * requests and parse replies. Its connection class mixes up answers after a reconnect and sends writes twice, so {@link Port} stands in for
 * it. This is the only file that knows memjs.
 */
export class MemjsClient {
  readonly #port = new Port()
  readonly #client: memjs.Client

  constructor() {
    // Port has all that memjs asks of a server. To memjs, the first and only attempt is one "retry".
    this.#client = new memjs.Client([this.#port as unknown as memjs.Server], { retries: 1, failover: false, logger: silent })
  }

  /** The number of the next request. memjs counts in signed 32-bit numbers and would be below zero after 2^31 requests. */
  nextOpaque(): number {
    this.#client.incrSeq()
    return this.#client.seq >>> 0
  }

  /**
   * Has memjs pass requests to its server, the {@link Port}, and call `settle` with the answer. memjs passes on what it is given without
   * looking at it, so the parts need not be joined yet.
   */
  perform<Result>(
    parts: readonly Bytes[],
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

/**
 * The first eight bytes of a request, as Latin-1 text: magic, opcode, and the lengths of key and extras. memjs takes 2 µs to build a request,
 * most of it for zeroed buffers, so it builds one for each opcode and length of key, and the rest of a request is appended to a copy of its
 * start. The extras of a command always have the same length.
 */
export function frameStart(opcode: number, keyLength: number, extrasLength: number): string {
  const form = opcode * keyLengths + keyLength
  const known = frameStarts.get(form)
  if (known !== undefined) return known
  const frame = memjs.Utils.makeRequestBuffer(opcode, Buffer.alloc(keyLength), Buffer.alloc(extrasLength), '', 0)
  const start = frame.toString('latin1', 0, 8)
  frameStarts.set(form, start)
  return start
}

const frameStarts = new Map<number, string>()
const keyLengths = 256

/** Parses a whole reply. Its lengths must have been checked. */
export function parseReply(bytes: Buffer): Reply {
  return memjs.Utils.parseMessage(bytes)
}

/** What memjs takes for its server. It only keeps the bytes to send and the functions to call, for our connection to use. */
class Port {
  readonly host = 'memcached'
  readonly port = 0
  #respond: ((result: never) => void) | undefined
  #reject: ((error: FieldwiseError) => void) | undefined
  #parts: readonly Bytes[] = []

  onResponse(_opaque: number, respond: (result: never) => void): void {
    this.#respond = respond
  }

  onError(_opaque: number, reject: (error: FieldwiseError) => void): void {
    this.#reject = reject
  }

  write(parts: readonly Bytes[]): void {
    this.#parts = parts
  }

  close(): void {}

  take<Result>(): Performed<Result> {
    return { parts: this.#parts, respond: this.#respond, reject: this.#reject } as Performed<Result>
  }
}

/** A request that memjs has passed on: what to send, and the functions that tell memjs how it ended. */
export interface Performed<Result> {
  readonly parts: readonly Bytes[]
  respond(result: Result): void
  reject(error: FieldwiseError): void
}

const silent = { log(): void {} }
