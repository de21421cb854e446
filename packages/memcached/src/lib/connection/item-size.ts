/**
 * The largest value that fits into an item of `itemSizeMax` bytes under a key of `keyLength` bytes. memcached counts its item header
 * (48 bytes), the CAS number (8), the key with a NUL, and the value with a line end.
 */
export function largestValueIn(itemSizeMax: number, keyLength: number): number {
  return Math.max(0, itemSizeMax - itemHeader - casNumber - (keyLength + 1) - lineEnd)
}

/** memcached's `-I` unless told otherwise. */
export const defaultItemSizeMax = 1_048_576

const itemHeader = 48
const casNumber = 8
const lineEnd = 2
