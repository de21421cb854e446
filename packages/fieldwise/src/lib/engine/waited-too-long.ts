import { StoreUnavailableError } from '../api/errors.js'

/**
 * The error of a change whose deadline passed while it waited (W9). Nothing of it was sent.
 *
 * @param forWhat what it waited for, as the error's message says it
 */
export function waitedTooLong(forWhat: string): StoreUnavailableError {
  return new StoreUnavailableError(`This change had to wait for ${forWhat}, and its deadline passed before it was sent`)
}

/** The same for one that waited in the queue of its field. */
export function waitedInQueue(): StoreUnavailableError {
  return waitedTooLong('other changes of its field')
}
