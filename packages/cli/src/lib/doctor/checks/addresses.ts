import type { LookupAddress } from 'node:dns'
import { type Check, danger } from '../finding.js'

/** One address of each family is one machine. */
export const checkAddresses: Check = ({ addresses }) => {
  if (!hasSeveral(addresses, 4) && !hasSeveral(addresses, 6)) return undefined
  const listed = addresses.map(({ address }) => address).join(', ')
  return danger(
    'several-addresses',
    `Its host name resolves to several addresses (${listed}). Each process uses one of them and does not find the sessions on the others.`,
    "Give each server a name of its own: memcachedStore({ a: 'cache-0.cache:11211', b: 'cache-1.cache:11211' }).",
  )
}

function hasSeveral(addresses: readonly LookupAddress[], family: number): boolean {
  return new Set(addresses.filter((one) => one.family === family).map(({ address }) => address)).size > 1
}
