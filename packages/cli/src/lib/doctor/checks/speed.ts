import { type Check, danger, warning } from '../finding.js'
import { time } from '../units.js'

/** Every operation is one round trip at least, and an update two. */
export const checkSpeed: Check = ({ roundTrip }, { timeout }) => {
  if (roundTrip < timeout / 10) return undefined
  const message = `Its fastest answer took ${time(roundTrip)}; an operation may take ${time(timeout)} in total.`
  const remedy =
    'Place it in the same data centre as the web servers and check what slows it (CPU, swapping, the network between); ' +
    'if that cannot be changed, raise memcachedStore(servers, { timeout }).'
  return (roundTrip < timeout / 2 ? warning : danger)('slow', message, remedy)
}
