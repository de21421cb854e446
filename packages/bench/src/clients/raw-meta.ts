import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Addresses } from '../lib/addresses.js'
import { stopwatch } from '../lib/meter.js'
import { visitedJson } from '../lib/values.js'
import { fill, numberKey, objectKey, oneMore, textKey } from './bare-client.js'
import { type Client, indexOf, type Kind } from './client.js'

/**
 * The physical limit: a loop on a bare socket that speaks just enough of memcached's meta protocol. No timeouts, no checks, no promises;
 * whatever one packet lets it do leaves in one write.
 */
export async function openRawMeta({ memcached }: Addresses): Promise<Client> {
  const wire = await RawMeta.connect(memcached)
  await fill(wire)
  const operations: Record<Kind, (index: number, done: () => void) => void> = {
    'get text': (index, done) => wire.mg(textKey(index), done),
    'get object': (index, done) =>
      wire.mg(objectKey(index), (_head, data) => {
        JSON.parse(data)
        done()
      }),
    'update number': (index, done) => wire.update(numberKey(index), oneMore, done),
    'update object': (index, done) => wire.update(objectKey(index), visitedJson, done),
  }
  return {
    measure: (kind, inFlight, milliseconds) =>
      new Promise((resolve) => {
        let count = 0
        let running = inFlight
        const stop = stopwatch()
        const end = performance.now() + milliseconds
        const begin = (slot: number, turn: number): void => {
          if (performance.now() < end) {
            return operations[kind](indexOf(slot, turn, inFlight), () => {
              count++
              begin(slot, turn + 1)
            })
          }
          running--
          if (running === 0) resolve({ operations: count, ...stop() })
        }
        for (let slot = 0; slot < inFlight; slot++) begin(slot, 0)
      }),
  }
}

type TakenReply = (head: string, data: string) => void

/** A pipelined connection. */
export class RawMeta {
  readonly #socket: Socket
  readonly #waiting: TakenReply[] = []
  #next = 0
  #outbox = ''
  #rest = ''

  static async connect(address: string): Promise<RawMeta> {
    const [host, port] = address.split(':') as [string, string]
    const socket = connect({ host, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    return new RawMeta(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => this.#read(chunk))
  }

  set(key: string, value: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#send(`ms ${key} ${value.length}\r\n${value}\r\n`, (head) => (head === 'HD' ? resolve() : reject(new Error(head))))
    })
  }

  mg(key: string, done: TakenReply): void {
    this.#send(`mg ${key} v c\r\n`, done)
  }

  /** A compare-and-swap loop. */
  update(key: string, change: (value: string) => string, done: (conflicts: number) => void, conflicts = 0): void {
    this.mg(key, (head, data) => {
      const version = head.slice(head.indexOf(' c') + 2)
      const value = change(data)
      this.#send(`ms ${key} ${value.length} C${version}\r\n${value}\r\n`, (answer) => {
        if (answer === 'HD') done(conflicts)
        else this.update(key, change, done, conflicts + 1)
      })
    })
  }

  #send(command: string, done: TakenReply): void {
    if (this.#outbox === '') queueMicrotask(() => this.#flush())
    this.#outbox += command
    this.#waiting.push(done)
  }

  #flush(): void {
    this.#socket.write(this.#outbox, 'latin1')
    this.#outbox = ''
  }

  #read(chunk: string): void {
    const text = this.#rest + chunk
    let place = 0
    for (;;) {
      const lineEnd = text.indexOf('\r\n', place)
      if (lineEnd === -1) break
      const head = text.slice(place, lineEnd)
      let end = lineEnd + 2
      let data = ''
      if (head.startsWith('VA ')) {
        const size = Number.parseInt(head.slice(3), 10)
        if (text.length < end + size + 2) break
        data = text.slice(end, end + size)
        end += size + 2
      }
      place = end
      this.#take(head, data)
    }
    this.#rest = text.slice(place)
  }

  #take(head: string, data: string): void {
    const done = this.#waiting[this.#next] as TakenReply
    this.#next++
    if (this.#next === this.#waiting.length || this.#next === 4_096) {
      this.#waiting.splice(0, this.#next)
      this.#next = 0
    }
    done(head, data)
  }
}
