import { BadArgumentError, type FieldwiseError, StoreUnavailableError, ValueTooLargeError } from 'fieldwise'
import type { StoreAnswer, StoreRequest } from 'fieldwise/store-contract'
import { largestValueIn } from './item-size.js'

/**
 * The answer to a request that must not be sent: the server would misunderstand it, or delete the old value. Undefined for one that may be
 * sent. `keyLength` is the {@link keyLength} of its key: 0 if memcached does not take it.
 */
export function refusalOf(request: StoreRequest, keyLength: number, itemSizeMax: number): StoreAnswer | undefined {
  if (keyLength === 0) return unsent(new BadArgumentError('A key has 1 to 250 bytes without spaces and control characters'))
  if ('ttl' in request && !(request.ttl > 0)) return unsent(new BadArgumentError('The time to live of an item is more than 0 ms'))
  if (!('value' in request)) return undefined
  const largest = largestValueIn(itemSizeMax, keyLength)
  return request.value.length > largest ? unsent(tooLarge(request.key, request.value.length, largest)) : undefined
}

export function unsent(error: FieldwiseError): StoreAnswer {
  return { result: 'unsent', error }
}

export type Write = Extract<StoreRequest, { op: 'add' | 'replace' }>

/** The error of a write that the server has refused by a line of text; undefined for any other line. */
export function refusedWrite(request: Write, line: { startsWith(prefix: string): boolean }): FieldwiseError | undefined {
  if (line.startsWith('SERVER_ERROR out of memory')) return outOfMemory()
  if (!line.startsWith('SERVER_ERROR object too large for cache')) return undefined
  return tooLarge(request.key, request.value.length, request.value.length - 1)
}

export function outOfMemory(): FieldwiseError {
  return new StoreUnavailableError('memcached has no memory for this item: give it more (memcached -m), and start it without -M')
}

export function tooLarge(key: string, size: number, largest: number): FieldwiseError {
  return new ValueTooLargeError(itemName(key), size, largest)
}

/** The last part of a key is the field's name, or `@` for the header. */
function itemName(key: string): string {
  const name = key.slice(key.lastIndexOf(':') + 1)
  return name === '@' ? 'header' : name
}
