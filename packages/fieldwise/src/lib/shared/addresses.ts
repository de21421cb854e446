import { hash } from 'node:crypto'
import { BadArgumentError } from '../api/errors.js'
import type { Store } from '../api/store.js'

/** Where one shared item is. */
export interface Address {
  /** The kind's name, as errors show it. */
  readonly name: string
  /** The kind's name, as keys and events show it: no field of a session begins like this. */
  readonly field: string
  /** The kind's name and the hash of the id: what sealing binds the item to. */
  readonly place: string
  /** By which the store finds the server. */
  readonly sid: string
  readonly key: string
}

/** Finds items by the names of their kinds and their ids, which are stored nowhere: they may be secrets, or addresses of people. */
export class Addresses {
  readonly #store: Store
  readonly #prefix: string

  constructor(store: Store, prefix: string) {
    this.#store = store
    this.#prefix = prefix
  }

  /** @throws {BadArgumentError} for what cannot be an id. */
  of(name: string, id: string): Address {
    assertId(name, id)
    const place = `${name}:${hash('sha256', id, 'base64url').slice(0, hashLength)}`
    const sid = this.#store.placeById?.(place) ?? this.#store.place(place)
    return { name, field: fieldOf(name), place, sid, key: `${this.#prefix}~${place}` }
  }
}

export function fieldOf(name: string): string {
  return `~${name}`
}

/** 132 bits: no two ids meet. */
const hashLength = 22
const longestId = 1_024

function assertId(name: string, id: unknown): void {
  if (typeof id !== 'string') throw new BadArgumentError(`${name}: an id is a string, not a value of type ${typeof id}`)
  if (id === '') throw new BadArgumentError(`${name}: an id is not empty`)
  if (id.length > longestId) throw new BadArgumentError(`${name}: an id has at most ${longestId} characters`)
  // Two of them would have one hash.
  if (/\p{Surrogate}/u.test(id))
    throw new BadArgumentError(`${name}: an id is well-formed Unicode, without half a surrogate pair`)
}
