import { figure } from '../examination.js'
import { type Check, danger, warning } from '../finding.js'
import { bytes, count, percent } from '../units.js'
import { hasEvicted } from './evictions.js'

const nearlyFull = 0.9

export const checkMemory: Check = (examination) => {
  const { general } = examination
  const [limit, used] = [figure(general, 'limit_maxbytes'), figure(general, 'bytes')]
  const refused = figure(general, 'store_no_memory') ?? 0
  const remedy = 'Give it more memory (memcached -m), or another server beside it.'
  if (refused > 0) {
    const of = limit === undefined ? '' : ` (${bytes(limit)})`
    const message = `It has refused ${count(refused)} writes for lack of memory${of}.`
    return danger('memory', message, `${remedy} Without -M it evicts the items that were unused for longest instead.`)
  }
  if (limit === undefined || used === undefined || used < nearlyFull * limit || hasEvicted(examination)) return undefined
  const message = `${percent(used / limit)} of its ${bytes(limit)} is used. When it is full, it evicts items and so ends sessions.`
  return warning('memory', message, remedy)
}
