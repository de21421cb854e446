import type { FieldwiseError } from 'fieldwise'

/** Warnings for operators, in production too: the store of the sessions fails. */
export interface Outages {
  failed(error: FieldwiseError): void
}

/** The outages of one `createSessions`, however many adapters and handlers use it: each is told once. */
export function outagesOf(sessions: object): Outages {
  const known = outages.get(sessions)
  if (known !== undefined) return known
  const made = createOutages()
  outages.set(sessions, made)
  return made
}

const outages = new WeakMap<object, Outages>()

export function createOutages(now: () => number = () => performance.now()): Outages {
  let lastFailure = Number.NEGATIVE_INFINITY
  return {
    failed(error) {
      if (error.code !== 'STORE_UNAVAILABLE' && error.code !== 'OUTCOME_UNKNOWN') return
      const isNew = now() - lastFailure > quiet
      lastFailure = now()
      if (isNew) process.emitWarning(told(error), { type: 'FieldwiseWarning', code: 'FIELDWISE_OUTAGE' })
    },
  }
}

/** An outage is over when nothing has failed for this many milliseconds. */
const quiet = 60_000

function told({ code, message }: FieldwiseError): string {
  return `The session store fails: ${code}: ${message}. Requests that need it get a 503. This warning appears once per outage`
}
