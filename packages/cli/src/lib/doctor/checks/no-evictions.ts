import { isOn } from '../examination.js'
import { type Check, danger } from '../finding.js'

export const checkNoEvictions: Check = ({ settings }) => {
  if (!settings.has('evictions') || isOn(settings, 'evictions')) return undefined
  return danger(
    'evictions-off',
    'When it is full, it refuses new items instead of evicting the oldest, so nobody can log in any more.',
    'Start memcached without -M, and with enough memory (-m) that it evicts nothing.',
  )
}
