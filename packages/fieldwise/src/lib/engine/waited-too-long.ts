import { StoreUnavailableError } from '../api/errors.js'

/** The error of a change whose time ran out before it was its turn (W9): nothing of it was sent. */
export function waitedTooLong(): StoreUnavailableError {
  return new StoreUnavailableError('This change had to wait for others of its field, and its time ran out before it was sent')
}
