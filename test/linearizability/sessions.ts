import { type Call, describeCall, type Gone, type Incident } from './history.js'

/**
 * What is wrong with the life of one session. Nothing works on it once its end was acknowledged, or once anybody was told that it is gone;
 * it is not gone unless it was ended, or its server lost its memory; a token works until it is replaced, and not afterwards.
 */
export function checkSession(calls: readonly Call[], incidents: readonly Incident[]): string[] {
  const [creation] = calls.filter(({ kind, outcome }) => kind === 'create' && outcome === 'ok')
  if (creation === undefined) return [`nobody created the session of ${calls[0]?.id}`]
  const own = incidents.filter(({ server, ended }) => creation.session.endsWith(`~${server}`) && ended >= creation.began)
  return [...checkRevival(calls), ...calls.flatMap((call) => checkEnd(call, calls, own)), ...checkOldTokens(calls)]
}

/** Nothing works after an acknowledged end, or after somebody was told of one. */
function checkRevival(calls: readonly Call[]): string[] {
  const ends = calls.filter((call) => isAcknowledgedEnd(call) || isEndSeen(call, calls))
  const [first] = ends.sort((one, other) => one.ended - other.ended)
  if (first === undefined) return []
  return calls
    .filter((call) => showsLife(call) && call.began > first.ended)
    .map((call) => `revived: ${describeCall(call)} came after ${describeCall(first)}`)
}

function isAcknowledgedEnd({ kind, outcome }: Call): boolean {
  return (kind === 'destroy' || kind === 'revoke') && outcome === 'ok'
}

/** Ending what is not there is fine, so that it works says nothing. */
function showsLife(call: Call): boolean {
  return call.outcome === 'ok' && call.kind !== 'destroy' && call.kind !== 'revoke'
}

/** Whether a call was told that the session is gone for everybody, not for its token alone. */
function isEndSeen(call: Call, calls: readonly Call[]): boolean {
  if (call.gone === undefined || call.gone === 'superseded') return false
  return call.gone !== 'absent' || !calls.some((other) => mayReplace(other, call, calls))
}

/** Whoever was told that the session is gone was told the truth. */
function checkEnd(call: Call, calls: readonly Call[], incidents: readonly Incident[]): string[] {
  const { gone, ended } = call
  if (gone === undefined || reasonsFor(gone, call, calls, incidents).some((reason) => reason.began < ended)) return []
  return [`lost session: ${describeCall(call)}, though nothing had ended it`]
}

/** All that may have led to a call's being told this. Sessions live much longer than a scenario lasts, so none expires. */
function reasonsFor(
  gone: Gone,
  call: Call,
  calls: readonly Call[],
  incidents: readonly Incident[],
): readonly { readonly began: number }[] {
  const replacements = calls.filter((other) => mayReplace(other, call, calls))
  switch (gone) {
    case 'destroyed':
      return [...calls.filter(mayEnd), ...incidents]
    case 'lost':
      return incidents
    case 'superseded':
      return replacements
    case 'absent':
      return [...calls.filter(mayEnd), ...incidents, ...replacements]
    case 'expired':
    // No session is bound to a user here.
    case 'ended':
      return []
  }
}

function mayEnd({ kind, outcome }: Call): boolean {
  return (kind === 'destroy' || kind === 'revoke') && outcome !== 'failed'
}

/** Whether a rotation may have put another token in the place of the one that a call was made with. */
function mayReplace(rotation: Call, { token }: Call, calls: readonly Call[]): boolean {
  if (rotation.kind !== 'regenerate' || rotation.outcome === 'failed' || rotation.issued === token) return false
  const issue = calls.find((call) => call.issued === token && isNewToken(call))
  return issue === undefined || rotation.outcome === 'unknown' || rotation.ended >= issue.began
}

/** Of two rotations at once, one may leave its request with the token that it had. */
function isNewToken({ token, issued }: Call): boolean {
  return issued !== token
}

/** Whoever shows a token that another one has replaced is not let in. */
function checkOldTokens(calls: readonly Call[]): string[] {
  const rotations = calls.filter((call) => call.kind === 'regenerate' && call.outcome === 'ok' && isNewToken(call))
  return rotations.flatMap((rotation) =>
    calls
      .filter(({ outcome, token, shown = 0 }) => outcome === 'ok' && token === rotation.token && shown > rotation.ended)
      .map((call) => `an old token was good: ${describeCall(call)} came after ${describeCall(rotation)}`),
  )
}
