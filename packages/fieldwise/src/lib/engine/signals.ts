/** What ends when a signal is aborted. */
export interface Abortable {
  fail(reason: unknown): void
}

interface Followed {
  readonly calls: Set<Abortable>
  readonly abort: () => void
}

const followed = new WeakMap<AbortSignal, Followed>()

/** Fails `call` with the signal's reason as soon as it is aborted. All calls of a signal share one listener: Node warns of a leak at eleven. */
export function obey(signal: AbortSignal, call: Abortable): void {
  const known = followed.get(signal) ?? follow(signal)
  known.calls.add(call)
}

/** The call is over. The last one of a signal takes the listener away, so that a signal which lives on keeps nothing. */
export function disobey(signal: AbortSignal, call: Abortable): void {
  const known = followed.get(signal)
  if (!known?.calls.delete(call) || known.calls.size > 0) return
  signal.removeEventListener('abort', known.abort)
  followed.delete(signal)
}

function follow(signal: AbortSignal): Followed {
  const calls = new Set<Abortable>()
  const abort = () => {
    for (const call of calls) call.fail(signal.reason)
  }
  const known = { calls, abort }
  signal.addEventListener('abort', abort)
  followed.set(signal, known)
  return known
}
