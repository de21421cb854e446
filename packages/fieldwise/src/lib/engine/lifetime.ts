import type { Header } from '../format/header.js'

/** How long a session lives, in milliseconds. */
export interface Lifetime {
  /** Without being used. */
  readonly idle: number
  /** From its creation, used or not. */
  readonly absolute: number
}

const second = 1_000

/**
 * The life to give a header: its idle time, a tenth more so that most requests need no touch, and two seconds for memcached's clock of
 * whole seconds (L2), but never far beyond the session's absolute end. memcached takes whole seconds, so it lives up to one more.
 */
export function headerLife(header: Header, now: number): number {
  const idle = header.idle + touchMargin(header.idle) + 2 * second
  return Math.max(second, Math.min(idle, header.deadline - now + 2 * second))
}

/** Whether a header with `remaining` life is to be touched: it might not live for another idle time, or not to its absolute end (L4). */
export function needsTouch(header: Header, remaining: number, now: number): boolean {
  return remaining <= Math.min(header.idle + 2 * second, header.deadline - now)
}

/**
 * The life to give a field: three idle times, so that it is touched at most once per idle time, and as much as the calls that are under
 * way may take (L2). `slack` is the longest that one call can last.
 */
export function fieldLife(idle: number, slack: number): number {
  return 3 * idle + slack + 6 * second
}

/** The life to give to the fields of a session with this header. */
export function lifeOfFields(header: Header, slack: number): number {
  return fieldLife(idleOfFields(header), slack)
}

/** The idle time that a session's fields are kept for: a longer one is given to them before it is promised (L6). */
export function idleOfFields(header: Header): number {
  return Math.max(header.idle, header.fieldsIdle ?? 0)
}

/**
 * Whether the listed fields are to be touched: fewer than two idle times are noted for them, and three seconds (L3). One renewal may fail,
 * and at the next use, an idle time later, all fields have to be there: memcached's clock of whole seconds ends an item up to a second
 * early, and two processes may read it a second apart.
 */
export function needsRenewal(header: Header, now: number): boolean {
  return header.manifest.size > 0 && header.fieldsUntil - now < 2 * header.idle + 3 * second
}

/** When a session that is used now ends if it is not used again. */
export function expiry(header: Header, now: number): number {
  return Math.min(now + header.idle, header.deadline)
}

function touchMargin(idle: number): number {
  return Math.max(second, idle / 10)
}
