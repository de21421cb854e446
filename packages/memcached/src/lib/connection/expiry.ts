/**
 * An item's time to live as memcached takes it: whole seconds, at least 1, since 0 means "never". Above 30 days memcached reads the number as a
 * Unix time (protocol.txt, "Expiration times"), so it becomes one, on the clock of the server. That clock is known to less than a
 * second and never too late, hence the second on top.
 */
export function exptime(ttl: number, serverTime: number): number {
  const seconds = Math.max(1, Math.ceil(ttl / 1_000))
  if (seconds <= thirtyDays) return seconds
  return Math.min(Math.floor(serverTime / 1_000) + 1 + seconds, latest)
}

const thirtyDays = 30 * 24 * 60 * 60

/** memcached reads exptime as a signed 32-bit number in the text protocols. */
const latest = 2 ** 31 - 1
