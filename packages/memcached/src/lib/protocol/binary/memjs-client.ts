import type { FieldwiseError } from 'fieldwise'
import memjs from 'memjs'
import type { Bytes } from '../../connection/outbox.js'

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
 * What a request begins with, as text of one byte a character: magic, opcode, and the lengths of key and extras. memjs takes 2 µs to
 * build a request, most of it for zeroed buffers, so it builds one of each form, and what differs is written behind a copy of its start.
 * A command's extras always have the same length.
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

/** Takes a whole reply apart. Its lengths must have been checked. */
export function parseReply(bytes: Buffer): Reply {
  return memjs.Utils.parseMessage(bytes)
}

/** What memjs takes for its server: it hands over the bytes to send and whom to call, and gives up nothing to memjs's own ideas. */
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

/** A request on its way: what to send, and whom to tell how it ended. */
export interface Performed<Result> {
  readonly parts: readonly Bytes[]
  respond(result: Result): void
  reject(error: FieldwiseError): void
}

const silent = { log(): void {} }
