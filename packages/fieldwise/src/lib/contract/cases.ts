import { closing } from './cases/closing.js'
import { keys } from './cases/keys.js'
import { lives } from './cases/lives.js'
import { order } from './cases/order.js'
import { outages } from './cases/outages.js'
import { placement } from './cases/placement.js'
import { results } from './cases/results.js'
import { sizes } from './cases/sizes.js'
import { time } from './cases/time.js'
import { values } from './cases/values.js'
import { versions } from './cases/versions.js'
import type { ContractCase } from './harness.js'
import { inScene } from './scene.js'

/**
 * What every store must do, one case each. They use `node:assert` and no test runner; give each to the runner at hand with
 * {@link runContractCase}. A case whose `needs` gives a reason is left out for that store, and the reason is what to print.
 */
export const contractCases: readonly ContractCase[] = [
  ...results,
  ...values,
  ...keys,
  ...sizes,
  ...versions,
  ...order,
  ...lives,
  ...time,
  ...placement,
  ...outages,
  ...closing,
].map(inScene)
