import type { StatsMap } from '../../wire/memcached-client.js'
import { type Examination, figure } from '../examination.js'
import { type Check, danger, warning } from '../finding.js'
import { bytes, count, time } from '../units.js'

/** One evicted field ends its session, unless it is declared `'absent'`. */
export const checkEvictions: Check = ({ general, items }, { idle }) => {
  const evictions = figure(general, 'evictions') ?? 0
  if (evictions === 0) return undefined
  const age = youngestEvicted(items)
  const limit = figure(general, 'limit_maxbytes')
  const now = limit === undefined ? '' : `, now ${bytes(limit)}`
  const remedy = `Give it more memory (memcached -m${now}), another server beside it, or only sessions to keep.`
  if (age === undefined || age >= idle) {
    const since = age === undefined ? '' : `, the youngest ${time(age)} after its last use`
    return warning('evictions', `It ran out of memory and evicted ${count(evictions)} items${since}.`, remedy)
  }
  return danger(
    'evictions',
    `It evicted ${count(evictions)} items for lack of memory, the youngest ${time(age)} after its last use, ` +
      `which is within the idle time of ${time(idle)}: living sessions are lost.`,
    remedy,
  )
}

/** How long the last evicted item of a size class had been unused, in milliseconds: the shortest time of all classes. */
function youngestEvicted(items: StatsMap): number | undefined {
  const ages = [...items]
    .filter(([name, value]) => name.endsWith(':evicted') && Number(value) > 0)
    .map(([name]) => items.get(`${name}_time`))
    .filter((age) => age !== undefined)
  return ages.length === 0 ? undefined : Math.min(...ages.map(Number)) * 1_000
}

export function hasEvicted({ general }: Examination): boolean {
  return (figure(general, 'evictions') ?? 0) > 0
}
