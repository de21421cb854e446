import { figure, isOn } from '../examination.js'
import { type Check, danger, warning } from '../finding.js'
import { count } from '../units.js'

/** memcached evicts what was not used for longest, of all items alike: the cached values that nobody misses push sessions out. */
export const checkCaches: Check = ({ server, general, settings }, { caches }) => {
  if (!caches.has(server.name)) return undefined
  if (settings.has('evictions') && !isOn(settings, 'evictions')) return undefined
  const evictions = figure(general, 'evictions') ?? 0
  const remedy = 'Give the cached values a memcached of their own, and with it a createShared of their own.'
  if (evictions > 0) {
    const message = `It holds sessions and cached values, and has evicted ${count(evictions)} items: what is cached pushes sessions out.`
    return danger('caches', message, remedy)
  }
  return warning('caches', 'It holds sessions and cached values: once it is full, what is cached pushes sessions out.', remedy)
}
