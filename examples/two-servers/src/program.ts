import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Addresses, Site } from './addresses.js'
import type { Order, Ports } from './serve.js'

/** A process of its own that runs `serve`. It ends with this process at the latest: it goes when its channel closes. */
export class Program {
  readonly sites: readonly Site[]
  readonly #child: ChildProcess

  constructor(file: string, order: Order) {
    this.sites = Object.keys(order.ports) as Site[]
    this.#child = fork(new URL(file, import.meta.url))
    this.#child.send(order)
  }

  /** Resolves with its ports when it listens on them. */
  listening(): Promise<Ports> {
    return this.#hear()
  }

  /** Tells the program where everybody is. It answers requests from then on. */
  async open(addresses: Addresses): Promise<void> {
    this.#child.send(addresses)
    await this.#hear()
  }

  /** Rejects when the program ends on its own. */
  async failure(): Promise<never> {
    await once(this.#child, 'exit')
    throw new Error(`The server of ${this.sites.join(' and ')} has ended by itself, process ${this.#child.pid}`)
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    if (this.#child.connected) this.#child.disconnect()
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), 3_000)
    await ended
    clearTimeout(impatience)
  }

  async #hear<Message>(): Promise<Message> {
    const patience = new AbortController()
    const message = once(this.#child, 'message', { signal: patience.signal }).then(([heard]) => heard)
    try {
      return await Promise.race([message, this.failure()])
    } finally {
      patience.abort()
      message.catch(() => {})
    }
  }
}
