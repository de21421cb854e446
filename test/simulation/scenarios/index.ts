import type { Scenario } from '../scenario.js'
import { absentField } from './absent-field.js'
import { browser } from './browser.js'
import { continuousUse } from './continuous-use.js'
import { createAndEnd } from './create-and-end.js'
import { eviction } from './eviction.js'
import { headerRaces } from './header-races.js'
import { lastMoment } from './last-moment.js'
import { longerLife } from './longer-life.js'
import { oneField } from './one-field.js'
import { plantedToken } from './planted-token.js'
import { sharedCached } from './shared-cached.js'
import { sharedCounters } from './shared-counters.js'
import { sharedTickets } from './shared-tickets.js'
import { sharedValues } from './shared-values.js'
import { stalls } from './stalls.js'
import { stolenToken } from './stolen-token.js'
import { users } from './users.js'

export const scenarios: readonly Scenario[] = [
  oneField,
  absentField,
  continuousUse,
  createAndEnd,
  browser,
  headerRaces,
  eviction,
  stalls,
  plantedToken,
  stolenToken,
  lastMoment,
  longerLife,
  users,
  sharedValues,
  sharedCounters,
  sharedTickets,
  sharedCached,
]

export function scenarioNamed(name: string): Scenario {
  const scenario = scenarios.find((one) => one.name === name)
  if (!scenario) throw new Error(`There is no scenario '${name}'; there are ${scenarios.map((one) => one.name).join(', ')}`)
  return scenario
}
