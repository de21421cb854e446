const whole = new Intl.NumberFormat('en-GB')
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** @param {number} number */
export function count(number) {
  return whole.format(number)
}

/** @param {number} number @param {string} one @param {string} [many] */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`
}

/** The time of day. @param {number} time in milliseconds since 1970 */
export function timeOfDay(time) {
  return clock.format(time)
}

/** @param {number} milliseconds */
export function duration(milliseconds) {
  if (milliseconds >= 1_000) return `${rounded(milliseconds / 1_000)} s`
  return milliseconds >= 1 ? `${rounded(milliseconds)} ms` : `${rounded(milliseconds * 1_000)} µs`
}

/** @param {number} seconds */
export function longTime(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`
}

/** How long ago something was. @param {number} milliseconds */
export function ago(milliseconds) {
  return milliseconds < 2_000 ? 'now' : `${longTime(milliseconds / 1_000)} ago`
}

/** @param {number} number */
export function bytes(number) {
  if (number < 1_024) return `${number} B`
  const step = number < 1_048_576 ? 'KiB' : number < 1_073_741_824 ? 'MiB' : 'GiB'
  const size = { KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 }[step]
  return `${rounded(number / size)} ${step}`
}

/** @param {number} part from 0 to 1 */
export function percent(part) {
  return `${rounded(part * 100)} %`
}

/** The beginning of an id, and the label of its server: enough to tell one from another. @param {string} sid */
export function shortId(sid) {
  const [uuid = '', label] = sid.split('~')
  return label === undefined ? uuid.slice(0, 8) : `${uuid.slice(0, 8)}~${label}`
}

/** @param {number} number */
function rounded(number) {
  return number >= 100 ? Math.round(number).toString() : Number(number.toPrecision(2)).toString()
}
