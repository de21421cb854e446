import { StoreUnavailableError } from 'fieldwise'

/** An answer did not come by the deadline of whoever asked. `peer` is the server's label and address. */
export function tooLate(peer: string): StoreUnavailableError {
  return new StoreUnavailableError(`${peer} did not answer in time`)
}

/** So many requests wait for an answer that one more is not taken. */
export function overloaded(peer: string, waiting: number): StoreUnavailableError {
  return new StoreUnavailableError(`${peer} is overloaded: ${waiting} requests wait for an answer`)
}

/** How a server has closed the connection, for a message. `hint` is what a server is likely to be that says nothing. */
export function closedBy(isReady: boolean, hint: string): string {
  return isReady ? 'closed the connection' : `closes connections before it says what it is: ${hint}`
}

/** How a server has kept silent until the connection was given up, for a message. */
export function silentFor(milliseconds: number, isConnecting: boolean, hint: string): string {
  const within = `within ${milliseconds} ms`
  if (isConnecting) return `could not be reached ${within}`
  return `takes connections but did not say what it is ${within}: is it overloaded? And ${hint}`
}

/** An error of its own for each of those that are told of one and the same failure. */
export function again({ message, cause }: Error): StoreUnavailableError {
  return new StoreUnavailableError(message, cause)
}
