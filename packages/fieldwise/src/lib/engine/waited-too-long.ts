import { StoreUnavailableError } from '../api/errors.js'

/** The error of a change whose deadline passed while it waited in its queue (W9). Nothing of it was sent. */
export function waitedTooLong(): StoreUnavailableError {
  return new StoreUnavailableError(
    'This change had to wait for other changes of its field, and its deadline passed before it was sent',
  )
}
