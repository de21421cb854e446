import { isOn } from '../examination.js'
import { type Check, danger } from '../finding.js'

export const checkProxy: Check = ({ general, settings }) => {
  const tellsOfProxy = [...general.keys()].some((name) => name.startsWith('proxy_'))
  if (!tellsOfProxy && !isOn(settings, 'proxy_enabled')) return undefined
  return danger(
    'proxy',
    'It is memcached as a proxy. It keeps no order between the keys of different servers and hides their restarts, so no version can be trusted. Fieldwise refuses it.',
    'Give memcachedStore the servers behind it: it spreads sessions over them itself.',
  )
}
