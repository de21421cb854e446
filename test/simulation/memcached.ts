import type { CompareRequest, StoreRequest } from '../../packages/fieldwise/src/lib/api/store.js'

/** A request as it goes over the wire: the store has put the number of the item's version in place of its opaque token. */
export type Command = (Exclude<StoreRequest, CompareRequest> & { readonly cas?: number }) | { readonly op: 'time' }

/** What the server answers. `refused` is its error for an item that is too large, `full` the one for want of memory. */
export type Reply =
  | { readonly result: 'found'; readonly value: Buffer; readonly cas: number; readonly life: number }
  /** A `get` of what is known: whether it is that version, without the value. */
  | { readonly result: 'version'; readonly isSame: boolean; readonly life: number }
  | { readonly result: 'time'; readonly seconds: number }
  | { readonly result: 'stored'; readonly cas: number }
  | { readonly result: 'done' }
  | { readonly result: 'missing' }
  | { readonly result: 'conflict' }
  | { readonly result: 'refused' }
  | { readonly result: 'full'; readonly isOldKept: boolean }

interface Stored {
  value: Buffer
  cas: number
  /** The second of the server's clock at which the item is gone. */
  expires: number
}

/** memcached as it was measured: one clock of whole seconds for all items, one counter of versions that starts anew with the program. */
export class SimulatedMemcached {
  /** The largest value in bytes. */
  largest: number
  /** While there is one it has no memory for any item: what was to be replaced stays (binary, classic commands), or goes with it (`ms`). */
  outOfMemory: 'keeps' | 'deletes' | undefined
  /** How often it was started: a connection belongs to one run of the program. */
  run = 1
  readonly #items = new Map<string, Stored>()
  readonly #clock: () => number
  #cas = 0

  constructor(clock: () => number, largest: number) {
    this.#clock = clock
    this.largest = largest
  }

  seconds(): number {
    return Math.floor(this.#clock() / 1000)
  }

  execute(command: Command): Reply {
    if ('value' in command && this.outOfMemory !== undefined) return this.#refuse(command.key, this.outOfMemory)
    switch (command.op) {
      case 'get':
        return command.cas === undefined ? this.#get(command.key) : this.#compare(command.key, command.cas)
      case 'getAndTouch':
        return this.#touch(command.key, command.ttl) === done ? this.#get(command.key) : missing
      case 'add':
        return this.#find(command.key) ? conflict : this.#store(command.key, command.value, command.ttl)
      case 'replace':
        return this.#replace(command)
      case 'delete':
        return this.#find(command.key) && this.#items.delete(command.key) ? done : missing
      case 'touch':
        return this.#touch(command.key, command.ttl)
      case 'time':
        return { result: 'time', seconds: this.seconds() }
    }
  }

  /** Whether an item was there to be evicted, as memcached does on its own when memory runs out. */
  evict(key: string): boolean {
    return this.#find(key) !== undefined && this.#items.delete(key)
  }

  /** How many milliseconds an item has left at most; 0 where there is none. */
  life(key: string): number {
    const item = this.#find(key)
    return item ? (item.expires - this.seconds()) * 1000 : 0
  }

  keys(): string[] {
    return [...this.#items.keys()].filter((key) => this.#find(key))
  }

  restart(): void {
    this.run++
    this.#cas = 0
    this.#items.clear()
  }

  #get(key: string): Reply {
    const item = this.#find(key)
    if (!item) return missing
    return { result: 'found', value: item.value, cas: item.cas, life: (item.expires - this.seconds()) * 1000 }
  }

  #compare(key: string, cas: number): Reply {
    const item = this.#find(key)
    if (!item) return missing
    return { result: 'version', isSame: item.cas === cas, life: (item.expires - this.seconds()) * 1000 }
  }

  #replace(command: Command & { op: 'replace' }): Reply {
    const item = this.#find(command.key)
    if (!item) return missing
    if (command.cas !== undefined && command.cas !== item.cas) return conflict
    return this.#store(command.key, command.value, command.ttl)
  }

  #store(key: string, value: Buffer, life: number): Reply {
    if (value.length > this.largest) {
      this.#items.delete(key)
      return refused
    }
    this.#items.set(key, { value, cas: ++this.#cas, expires: this.#expiry(life) })
    return { result: 'stored', cas: this.#cas }
  }

  #refuse(key: string, what: 'keeps' | 'deletes'): Reply {
    if (what === 'deletes') this.#items.delete(key)
    return { result: 'full', isOldKept: what === 'keeps' }
  }

  #touch(key: string, life: number): Reply {
    const item = this.#find(key)
    if (!item) return missing
    item.expires = this.#expiry(life)
    return done
  }

  #expiry(life: number): number {
    return this.seconds() + Math.ceil(life / 1000)
  }

  #find(key: string): Stored | undefined {
    const item = this.#items.get(key)
    if (item === undefined || item.expires > this.seconds()) return item
    this.#items.delete(key)
    return undefined
  }
}

const done: Reply = { result: 'done' }
const missing: Reply = { result: 'missing' }
const conflict: Reply = { result: 'conflict' }
const refused: Reply = { result: 'refused' }
