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
 * The cases that every store must pass. They need `node:assert` and no test runner: register each with your own runner, and let it call
 * {@link runContractCase}. If `needs` of a case returns a reason, skip the case for that store and print the reason.
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
