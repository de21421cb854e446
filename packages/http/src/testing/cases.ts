import type { Case } from './case.js'
import { awaiting } from './cases/awaiting.js'
import { caches } from './cases/caches.js'
import { costs } from './cases/costs.js'
import { hosts } from './cases/hosts.js'
import { idioms } from './cases/idioms.js'
import { logins } from './cases/logins.js'
import { outages } from './cases/outages.js'
import { streams } from './cases/streams.js'
import { tokens } from './cases/tokens.js'
import { twins } from './cases/twins.js'

/** Every promise that each framework keeps, theme by theme. */
export const cases: readonly Case[] = [
  ...costs,
  ...logins,
  ...tokens,
  ...twins,
  ...outages,
  ...idioms,
  ...caches,
  ...streams,
  ...awaiting,
  ...hosts,
]
