import { expect, test } from 'vitest'
import { abortable } from './abort.js'

test('work whose signal is aborted while it begins is given up, and its own failure is nobody’s unhandled rejection', async () => {
  const unhandled: unknown[] = []
  const hear = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', hear)
  const giving = new AbortController()
  const begin = () => {
    giving.abort('gave up')
    return Promise.reject(new Error('failed later'))
  }
  await expect(abortable(begin(), giving.signal)).rejects.toBe('gave up')
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', hear)
  expect(unhandled).toEqual([])
})
