import type { Scenario } from '../scenario.js'
import { playTraffic } from './field-traffic.js'

/** Everything that can be done with one field, by several processes at once. No eviction: the session never ends. */
export const oneField: Scenario = {
  name: 'one-field',
  play: (world, history) => playTraffic(world, history, {}, () => []),
}
