import { BadArgumentError, type FieldwiseError, ValueTooLargeError } from 'fieldwise'
import type { StoreAnswer, StoreRequest } from 'fieldwise/store-contract'
import { largestValueIn } from './item-size.js'

/**
 * The answer to a request that must not be sent, since the server would misunderstand it or lose the old value over it. `keyLength` is
 * that of its key in bytes, 0 for a key that memcached does not take.
 */
export function refusalOf(request: StoreRequest, keyLength: number, itemSizeMax: number): StoreAnswer | undefined {
  if (keyLength === 0) return unsent(new BadArgumentError('A key has 1 to 250 bytes without spaces and control characters'))
  if ('life' in request && !(request.life > 0)) return unsent(new BadArgumentError('The life of an item is more than 0 ms'))
  if (!('value' in request)) return undefined
  const largest = largestValueIn(itemSizeMax, keyLength)
  return request.value.length > largest ? unsent(tooLarge(request.key, request.value.length, largest)) : undefined
}

export function unsent(error: FieldwiseError): StoreAnswer {
  return { result: 'unsent', error }
}

export function tooLarge(key: string, size: number, largest: number): FieldwiseError {
  return new ValueTooLargeError(itemName(key), size, largest)
}

/** The last part of a key is the field's name, or `@` for the header. */
function itemName(key: string): string {
  const name = key.slice(key.lastIndexOf(':') + 1)
  return name === '@' ? 'header' : name
}
