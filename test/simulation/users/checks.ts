import { describeOperation, type History, type Operation } from '../history.js'
import type { End, Known, Scene } from './scene.js'

/** What is wrong with a history of users. */
export function check(history: History, scene: Scene): string[] {
  return [
    ...scene.ends.flatMap((one) => checkEnd(one, scene)),
    ...scene.known.flatMap((known) => known.uses.flatMap((one) => checkLiving(known, one, scene))),
    ...scene.known.flatMap((known) => checkLogin(known, scene)),
    ...scene.lists.flatMap((one) => checkList(one, scene)),
    ...scene.names.flatMap((user) => checkLimit(user, history, scene)),
  ]
}

/** Nothing that begins after an acknowledged end succeeds in a session that was bound before it. */
function checkEnd({ operation, user, kept }: End, scene: Scene): string[] {
  if (operation.outcome !== 'ok') return []
  return scene.known
    .filter((known) => known !== kept && isBoundBefore(known, user, operation.began))
    .flatMap((known) => known.uses.filter((one) => one.began > operation.ended && works(one, known)))
    .map((one) => `worked after end: #${one.id} ${describeOperation(one)} after #${operation.id}`)
}

/** What nobody has ended works. */
function checkLiving(known: Known, one: Operation, scene: Scene): string[] {
  const { login } = known
  if (login.outcome !== 'ok' || one.began < Math.max(login.ended, known.renewed) || one.ended > known.blurred) return []
  if (one.outcome !== 'gone' && !(one.outcome === 'ok' && one.session !== known.sid)) return []
  // Whoever holds on with the secret before is cut off.
  if (known.renewed > 0 && one.reason === 'superseded') return []
  if (known.absolute !== undefined && one.endedAt > login.beganAt + known.absolute - 1_500) return []
  if (mayHaveEnded(known, one, scene)) return []
  return [`ended falsely: #${one.id} ${describeOperation(one)} in the session of #${login.id}`]
}

/** No login is told that it has ended unless somebody has ended it. */
function checkLogin(known: Known, scene: Scene): string[] {
  const { login } = known
  if (login.reason !== 'ended' || mayHaveEnded(known, login, scene)) return []
  return [`ended falsely: #${login.id} ${describeOperation(login)}`]
}

/** Whether somebody ended a session before the end of a call, or what it stands on was lost. */
function mayHaveEnded(known: Known, one: Operation, scene: Scene): boolean {
  if (scene.losses.some((loss) => loss > known.born && loss < one.ended)) return true
  if (scene.ends.some((end) => isEndedBy(end, known, one))) return true
  if (scene.max === undefined || scene.refuses) return false
  const strangers = (scene.created.get(known.user) ?? []).filter((sid) => scene.known.every((other) => other.sid !== sid))
  return scene.known.filter((other) => mayDisplace(other, known)).length + strangers.length >= scene.max
}

function isEndedBy({ operation, user, kept }: End, known: Known, one: Operation): boolean {
  return user === known.user && kept !== known && operation.ended > known.begun && operation.began < one.ended
}

/** Whether the session of another login may have pushed one out: a login that began before another was over may be the older one. */
function mayDisplace(other: Known, known: Known): boolean {
  const { outcome, ended } = other.login
  if (other === known || other.user !== known.user || outcome === 'failed') return false
  return ended > known.begun || outcome === 'unknown'
}

/** Only what is bound to the user is listed, and all of it that lives. */
function checkList({ operation, user }: Scene['lists'][number], scene: Scene): string[] {
  if (operation.outcome !== 'ok') return []
  const listed = operation.value as string[]
  const found: string[] = []
  for (const sid of listed) {
    const known = scene.known.find((one) => one.sid === sid && one.user === user)
    const isUnnamed = scene.known.some((one) => one.sid === '' && one.user === user)
    if (known === undefined) {
      if (!isUnnamed && scene.isFair) found.push(`wrong listing: #${operation.id} lists a session of nobody`)
      continue
    }
    const attempts = scene.known.filter((one) => one.sid === sid && one.user === user)
    if (attempts.every(({ login }) => login.outcome === 'failed' && login.ended < operation.began)) {
      found.push(`wrong listing: #${operation.id} lists a session that was never bound`)
    }
    if (known.destroyed && known.destroyed.ended < operation.began)
      found.push(`wrong listing: #${operation.id} lists a destroyed session`)
    const ended = scene.ends.find(
      (end) =>
        end.operation.outcome === 'ok' &&
        end.kept !== known &&
        end.operation.ended < operation.began &&
        isBoundBefore(known, end.user, end.operation.began),
    )
    if (ended) found.push(`wrong listing: #${operation.id} lists a session that #${ended.operation.id} has ended`)
  }
  for (const known of scene.known) {
    if (!isBoundBefore(known, user, operation.began) || listed.includes(known.sid)) continue
    const later = known.uses.find((one) => one.began > operation.ended && works(one, known))
    if (later) found.push(`not listed: #${operation.id} lacks the session of #${known.login.id}, which #${later.id} uses`)
  }
  return found
}

/** At the end, no more than the limit allows work, unless a login was never answered; and no fewer. */
function checkLimit(user: string, history: History, scene: Scene): string[] {
  const { max } = scene
  if (max === undefined) return []
  const mine = scene.known.filter((known) => known.user === user && !isRefused(known.login))
  const logins = history.operations.filter((one) => one.kind === 'login' && one.field === user)
  const uncertain = logins.filter((one) => one.outcome !== 'ok' && one.outcome !== 'gone' && !isRefused(one)).length
  const working = mine.filter((known) => known.token !== '' && works(known.uses.at(-1), known))
  const unlimited = scene.unlimited.filter((one) => one === user).length
  if (working.length > max + uncertain + unlimited)
    return [`over the limit: ${working.length} of ${user}'s sessions work, and ${max} may`]
  const isQuiet =
    uncertain === 0 &&
    scene.losses.length === 0 &&
    scene.ends.every((end) => end.user !== user) &&
    mine.every((known) => known.absolute === undefined && known.blurred === Number.POSITIVE_INFINITY)
  const least = Math.min(max, mine.length)
  if (isQuiet && working.length < least) return [`too few: ${working.length} of ${user}'s sessions work, and ${least} should`]
  return []
}

/** It is said to have stored nothing. */
function isRefused({ code }: Operation): boolean {
  return code === 'TOO_MANY_SESSIONS'
}

function isBoundBefore(known: Known, user: string, moment: number): boolean {
  return known.user === user && known.login.outcome === 'ok' && known.login.ended < moment
}

/** It took effect in the session itself, and not in one that began anew. */
function works(operation: Operation | undefined, known: Known): boolean {
  return operation?.outcome === 'ok' && operation.session === known.sid
}
