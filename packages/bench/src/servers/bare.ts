import { profile } from '../lib/values.js'
import type { Keeping } from './shop.js'

/** Express without sessions: what it keeps, it keeps for all visitors together. */
export function bare(): Keeping {
  let visits = 0
  return {
    logIn: () => {},
    profile: () => profile,
    count: () => {
      visits++
      return visits
    },
    visits: () => visits,
  }
}
