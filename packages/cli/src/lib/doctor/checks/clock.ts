import { type Check, warning } from '../finding.js'
import { time } from '../units.js'

/** memcached counts from its start on, so it may be a second or two beside the clock of its machine. */
const tolerance = 3_000

export const checkClock: Check = ({ clockAhead }) => {
  if (clockAhead === undefined || Math.abs(clockAhead) <= tolerance) return undefined
  return warning(
    'clock',
    `Its clock is ${time(clockAhead)} ${clockAhead > 0 ? 'ahead of' : 'behind'} this machine's. Sessions live by the server's clock, so they ` +
      'end when they should, but createdAt and expiresAt differ from what web servers write elsewhere.',
    'Set both clocks by NTP (chrony, systemd-timesyncd), then restart memcached: it reads the clock only when it starts.',
  )
}
