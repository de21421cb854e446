import { StoreUnavailableError } from 'fieldwise'

/** The error of a caller whose deadline passed before the answer. `peer` is the server's label and address. */
export function tooLate(peer: string): StoreUnavailableError {
  return new StoreUnavailableError(`${peer} did not answer in time`)
}

/** The error of a request that is refused since too many others are waiting. */
export function overloaded(peer: string, waiting: number): StoreUnavailableError {
  return new StoreUnavailableError(`${peer} is overloaded: ${waiting} requests wait for an answer`)
}

/** For a message: the server has closed the connection. `hint` says what a server that says nothing is likely to be. */
export function closedBy(isReady: boolean, hint: string): string {
  return isReady ? 'closed the connection' : `closes connections before it says what it is: ${hint}`
}

/** For a message: the server was silent until the connection was given up. */
export function silentFor(milliseconds: number, isConnecting: boolean, hint: string): string {
  const within = `within ${milliseconds} ms`
  if (isConnecting) return `could not be reached ${within}`
  return `takes connections but did not say what it is ${within}: is it overloaded? And ${hint}`
}

/** A new error that says the same: each caller gets an error of its own, even where one failure concerns many. */
export function again({ message, cause }: Error): StoreUnavailableError {
  return new StoreUnavailableError(message, cause)
}
