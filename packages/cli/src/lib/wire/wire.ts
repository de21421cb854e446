import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls'
import type { Address } from '@fieldwise/memcached/servers'

export interface WireOptions {
  readonly address: Address
  /** Inside TLS, by these options. */
  readonly tls: ConnectionOptions | undefined
  /** How long connecting and each answer may take, in milliseconds. */
  readonly timeout: number
}

/** Why there is no answer. `heard` is what had arrived by then; it may be anything, and is never shown. */
export class WireFailure extends Error {
  readonly reason: 'timeout' | 'closed' | 'error'
  /** The code of the socket's error, such as `ECONNREFUSED`. */
  readonly errorCode: string | undefined
  readonly heard: string

  constructor(reason: WireFailure['reason'], heard = '', errorCode?: string) {
    super(errorCode ?? reason)
    this.reason = reason
    this.heard = heard
    this.errorCode = errorCode
  }
}

/** What an answer is, and how many bytes it takes; undefined as long as it is not all there. */
export type Take<T> = (bytes: Buffer) => { readonly value: T; readonly length: number } | undefined

/** A connection to a server for a few questions, one after the other. Nothing is asked twice, and nothing is waited for without end. */
export class Wire implements Disposable {
  readonly #socket: Socket
  readonly #timeout: number
  #bytes = Buffer.alloc(0)
  #failure: WireFailure | undefined
  #wake: () => void = () => {}

  /** @throws {WireFailure} */
  static async open(options: WireOptions): Promise<Wire> {
    const wire = new Wire(options)
    await wire.#connected(options.tls === undefined ? 'connect' : 'secureConnect')
    return wire
  }

  private constructor({ address, tls, timeout }: WireOptions) {
    this.#timeout = timeout
    this.#socket = tls === undefined ? connect({ ...address }) : connectTls({ ...tls, ...address })
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#fail('error', error.code ?? error.name))
    this.#socket.on('end', () => this.#fail('closed'))
    this.#socket.on('close', () => this.#fail('closed'))
  }

  /** When the server's certificate ends, in milliseconds since 1970; undefined without TLS. */
  get certificateEnds(): number | undefined {
    if (!(this.#socket instanceof TLSSocket)) return undefined
    const ends = Date.parse(this.#socket.getPeerCertificate().valid_to)
    return Number.isNaN(ends) ? undefined : ends
  }

  /** Sends `question` and resolves with what `take` makes of the answer. @throws {WireFailure} */
  async ask<T>(question: string | Buffer, take: Take<T>): Promise<T> {
    this.#socket.write(question)
    const timer = setTimeout(() => this.#fail('timeout'), this.#timeout)
    try {
      for (;;) {
        const taken = take(this.#bytes)
        if (taken !== undefined) return this.#consume(taken)
        if (this.#failure !== undefined) throw this.#failure
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      clearTimeout(timer)
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #connected(event: 'connect' | 'secureConnect'): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail('timeout'), this.#timeout)
      this.#wake = () => {
        clearTimeout(timer)
        if (this.#failure === undefined) return resolve()
        this.#socket.destroy()
        reject(this.#failure)
      }
      this.#socket.once(event, () => this.#wake())
    })
  }

  #consume<T>({ value, length }: { value: T; length: number }): T {
    this.#bytes = this.#bytes.subarray(length)
    return value
  }

  #receive(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    // No answer to what is asked here is anywhere near as long.
    if (this.#bytes.length > longestAnswer) this.#fail('closed')
    this.#wake()
  }

  #fail(reason: WireFailure['reason'], errorCode?: string): void {
    this.#failure ??= new WireFailure(reason, this.#bytes.toString('latin1', 0, 64), errorCode)
    this.#wake()
  }
}

const longestAnswer = 1024 * 1024
