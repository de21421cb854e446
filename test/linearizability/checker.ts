import { checkField } from './fields.js'
import { type Call, type Incident, onField, type Value } from './history.js'
import { checkSession } from './sessions.js'

/** The fields that histories write: three lists of tags, and a number that counts from 0. */
const lists = ['a', 'b', 'c'] as const
const counter = 'visits'

/** One promise that was not kept, and the calls that show it. */
export interface Violation {
  readonly session: string
  /** Undefined where it is about the session as a whole. */
  readonly field: string | undefined
  readonly found: readonly string[]
  readonly calls: readonly Call[]
}

/** The calls on each session. A creation that failed made none. */
export function bySession(calls: readonly Call[]): Map<string, Call[]> {
  const sessions = new Map<string, Call[]>()
  for (const call of calls) {
    const own = sessions.get(call.session)
    if (own) own.push(call)
    else if (call.session !== '') sessions.set(call.session, [call])
  }
  return sessions
}

/** Whether one session kept what is promised of it: as a whole, and of each field that it is linearizable. */
export function checkHistory(calls: readonly Call[], incidents: readonly Incident[] = []): Violation[] {
  const session = calls[0]?.session ?? ''
  const initial = initialValues(calls)
  const parts = [
    { field: undefined, calls, found: checkSession(calls, incidents) },
    ...[...lists, counter].map((field) => {
      const own = onField(calls, field)
      return { field, calls: own, found: checkField(own, initial[field] ?? (field === counter ? 0 : undefined)) }
    }),
  ]
  return parts.filter(({ found }) => found.length > 0).map((part) => ({ session, ...part }))
}

function initialValues(calls: readonly Call[]): Readonly<Record<string, Value>> {
  return (calls.find(({ kind }) => kind === 'create')?.value as Readonly<Record<string, Value>> | undefined) ?? {}
}
