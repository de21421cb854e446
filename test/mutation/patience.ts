import { expect, vi } from 'vitest'
import { waits } from './waiting.js'

/** Many a change makes a test wait for what never comes. Where nothing takes its time, a test that is slow hangs. */
const patience = waits(expect.getState().testPath ?? '') ? 6_000 : 1_500
vi.setConfig({ testTimeout: patience, hookTimeout: patience })
