import { OutcomeUnknownError, StoreUnavailableError, UpdateConflictError } from 'fieldwise'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { collectWarnings } from '../../testing/app.js'
import { createOutages, outagesOf } from './outages.js'

let warnings: ReturnType<typeof collectWarnings>

beforeEach(() => {
  warnings = collectWarnings()
})

afterEach(() => {
  warnings.stop()
})

const failure = new StoreUnavailableError('memcached 10.1.2.3:11211 refuses connections')

test('an outage is told once for as long as it lasts, and so is the next one', async () => {
  let now = 0
  const outages = createOutages(() => now)
  for (; now < 3_600_000; now += 30_000) outages.failed(failure)
  expect(await warnings.of('FIELDWISE_OUTAGE')).toEqual([expect.stringContaining('10.1.2.3:11211 refuses connections')])
  now += 90_000
  outages.failed(failure)
  expect(await warnings.of('FIELDWISE_OUTAGE')).toHaveLength(2)
})

test('the adapters of one createSessions tell it together', async () => {
  const sessions = {}
  outagesOf(sessions).failed(failure)
  outagesOf(sessions).failed(new OutcomeUnknownError('this write', failure))
  expect(await warnings.of('FIELDWISE_OUTAGE')).toHaveLength(1)
})

test('an update that others were faster than is no outage', async () => {
  createOutages().failed(new UpdateConflictError('cart', 32))
  expect(await warnings.of('FIELDWISE_OUTAGE')).toEqual([])
})
