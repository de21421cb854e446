import type { Ending } from '../checker.js'
import type { Scenario } from '../scenario.js'
import { type Meddling, playTraffic } from './field-traffic.js'

/** The same on a field whose eviction means "unset", while memcached evicts it. */
export const absentField: Scenario = {
  name: 'absent-field',
  play: (world, history) => playTraffic(world, history, { lost: 'absent' }, evict),
}

const evict: Meddling = (world, history, { sid, span }) => {
  const endings: Ending[] = []
  for (let left = world.random.below(4); left > 0; left--) {
    world.later(world.random.between(0, span), () => {
      world.log(() => `memcached  evicts ${sid}:a`)
      if (!world.server.evict(`${sid}:a`)) return
      endings.push({ began: history.moment(), ended: history.moment() })
    })
  }
  return endings
}
