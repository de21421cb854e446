import { Client as Memjs } from 'memjs'
import type { Addresses } from '../lib/addresses.js'
import { bareClient } from './bare-client.js'
import type { Client } from './client.js'
import { makeRequestBuffer } from './memjs-frames.js'

/** memjs as it is installed. It has no compare-and-swap; its frames have room for one. */
export function openMemjs({ memcached }: Addresses): Promise<Client> {
  const memjs = Memjs.create(memcached, { timeout: 5 })
  const cas = new MemjsCas(memjs)
  return bareClient({
    set: (key, value) => memjs.set(key, value, {}),
    get: async (key) => (await memjs.get(key)).value,
    update: (key, change) => cas.update(key, change),
  })
}

/** A compare-and-swap loop over memjs's own frames and connections. */
export class MemjsCas {
  readonly #memjs: MemjsInside

  constructor(memjs: Memjs) {
    this.#memjs = memjs as unknown as MemjsInside
  }

  /** Resolves with the number of conflicts that came before. */
  async update(key: string, change: (value: string) => string): Promise<number> {
    for (let conflicts = 0; ; conflicts++) {
      const { value, version } = await this.#gets(key)
      if (await this.#cas(key, change(value), version)) return conflicts
    }
  }

  async #gets(key: string): Promise<{ value: string; version: Buffer }> {
    const { header, val } = await this.#perform(key, (opaque) => makeRequestBuffer(opcodes.get, key, '', '', opaque))
    if (header.status !== 0) throw new Error(`get: status ${header.status}`)
    return { value: val.toString(), version: header.cas }
  }

  async #cas(key: string, value: string, version: Buffer): Promise<boolean> {
    const { header } = await this.#perform(key, (opaque) => {
      const frame = makeRequestBuffer(opcodes.set, key, Buffer.alloc(8), value, opaque)
      version.copy(frame, 16)
      return frame
    })
    if (header.status !== 0 && header.status !== 2) throw new Error(`cas: status ${header.status}`)
    return header.status === 0
  }

  #perform(key: string, frame: (opaque: number) => Buffer): Promise<MemjsAnswer> {
    const memjs = this.#memjs
    memjs.incrSeq()
    const opaque = memjs.seq
    return new Promise((resolve, reject) => {
      memjs.perform(key, frame(opaque), opaque, (error, answer) => (error ? reject(error) : resolve(answer)))
    })
  }
}

const opcodes = { get: 0x00, set: 0x01 }

interface MemjsAnswer {
  readonly header: { readonly status: number; readonly cas: Buffer }
  readonly val: Buffer
}

/** What its types leave out. */
interface MemjsInside {
  readonly seq: number
  incrSeq(): void
  perform(key: string, frame: Buffer, opaque: number, done: (error: Error | null, answer: MemjsAnswer) => void): void
}
