import type { WriteId } from '../format/write-ids.js'
import type { Contents, Written } from './item-swap.js'

/** What the item of a cached value holds. All times are on the server's clock; 0 is none. */
export interface Entry {
  /** The value as JSON; undefined where there is none yet. */
  readonly json: string | undefined
  /** Until when it is fresh. */
  readonly freshUntil: number
  /** Until when somebody loads it. The write that made this item is the lease, and its id names it (S4). */
  readonly leaseUntil: number
  readonly id: WriteId
}

/** `freshUntil,leaseUntil`, a line end, and the value's JSON. */
export function encodeEntry({ json = '', freshUntil, leaseUntil }: Omit<Entry, 'id'>, stale: number): Contents {
  const deadline = Math.max(freshUntil === 0 ? 0 : freshUntil + stale, leaseUntil)
  return { json: `${freshUntil},${leaseUntil}\n${json}`, deadline }
}

/** Undefined for what is not an entry, which is then loaded anew. */
export function decodeEntry(contents: Written | undefined): Entry | undefined {
  const match = contents && /^(\d{1,15}),(\d{1,15})\n/.exec(contents.json)
  if (!match) return undefined
  const json = contents.json.slice(match[0].length)
  return { json: json || undefined, freshUntil: Number(match[1]), leaseUntil: Number(match[2]), id: contents.id }
}
