import { isOn } from '../examination.js'
import { type Check, danger } from '../finding.js'

export const checkNoEvictions: Check = ({ settings }) => {
  if (!settings.has('evictions') || isOn(settings, 'evictions')) return undefined
  return danger(
    'evictions-off',
    'When it is full it refuses new items instead of throwing out the oldest: then nobody can log in any more.',
    'Start memcached without -M, and with memory enough (-m) that it throws out nothing.',
  )
}
