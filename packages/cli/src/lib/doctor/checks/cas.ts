import { isOn } from '../examination.js'
import { type Check, danger } from '../finding.js'

export const checkCas: Check = ({ settings }) => {
  if (!settings.has('cas_enabled') || isOn(settings, 'cas_enabled')) return undefined
  return danger(
    'cas-disabled',
    'It gives items no version, so every conditional write would overwrite what others wrote. Fieldwise refuses it.',
    'Start memcached without -C.',
  )
}
