import { figure } from '../examination.js'
import { type Check, danger, warning } from '../finding.js'
import { bytes } from '../units.js'

const usual = 1024 * 1024
/** A header that lists 1,000 fields with long names. */
const largestHeader = 72 * 1024

export const checkItemSize: Check = ({ settings }) => {
  const size = figure(settings, 'item_size_max')
  if (size === undefined || size >= usual) return undefined
  const remedy = 'Start memcached with -I 1m (the default) or more, or keep large values elsewhere and their keys in the session.'
  const message = `An item holds at most ${bytes(size)}, key and header included. Larger values are refused with VALUE_TOO_LARGE.`
  if (size >= largestHeader) return warning('item-size', message, remedy)
  return danger('item-size', `${message} Even the list of a session's fields may not fit.`, remedy)
}
