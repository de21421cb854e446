import type { AnswerTo, GetRequest } from '../api/store.js'
import type { BoundUser } from '../format/header.js'
import { holdsBinding, listItemName, listPlace, serverOf } from '../format/user-list.js'
import type { Context } from './context.js'

/** Asks for the list by which a session is bound. */
export function listRequest({ keys }: Context, { list }: BoundUser): GetRequest {
  return { op: 'get', key: keys.userList(list) }
}

/** Whether the list holds the binding of a session, so that it works (U1). @throws {SealBrokenError} */
export function isListed(context: Context, sid: string, { list, binding }: BoundUser, answer: ListAnswer): boolean {
  if (answer.result === 'missing') return false
  return holdsBinding(context.sealer.unseal(listPlace(list, serverOf(sid)), listItemName, answer.value), binding)
}

export type ListAnswer = Extract<AnswerTo<GetRequest>, { result: 'found' | 'missing' }>
