import { getEventListeners } from 'node:events'
import { beforeEach, describe, expect, test } from 'vitest'
import { systemEnvironment } from '../environment/environment.js'
import { CallsInFlight } from './calls-in-flight.js'
import { Operation, type OperationContext } from './operation.js'
import { Telemetry } from './telemetry.js'

let context: OperationContext
let telemetry: Telemetry
let calls: CallsInFlight
beforeEach(() => {
  calls = new CallsInFlight('The store of these sessions')
  telemetry = new Telemetry('a store', '')
  context = { calls, environment: systemEnvironment, telemetry } as unknown as OperationContext
})

function operation<T>(): Operation<T> {
  return new Operation<T>(context, { name: 'check', entry: operation }, [], { sid: undefined })
}

describe('the first end of a call', () => {
  const ends: readonly [string, (call: Operation<string>) => void][] = [
    ['a value', (call) => call.succeed('first')],
    ['an error', (call) => call.fail('first')],
  ]
  for (const [first, begin] of ends) {
    for (const [second, end] of ends) {
      test(`counts: ${first}, then ${second}`, async () => {
        const call = operation<string>()
        const ended = call.run(undefined, () => {
          begin(call)
          end(call)
        })
        expect(await ended.catch((error) => error)).toBe('first')
        expect(telemetry.stats().operations).toBe(1)
        await calls.idle()
      })
    }
  }
})

test('a call that cannot begin fails, and is over', async () => {
  const failure = new Error('no such field')
  const begin = () => {
    throw failure
  }
  await expect(operation().run(undefined, begin)).rejects.toBe(failure)
  await calls.idle()
})

test('a call with a signal that is none fails, and is over', async () => {
  const options = { signal: { throwIfAborted() {} } as unknown as AbortSignal }
  await expect(operation<void>().runAsync(options, async () => {})).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  await calls.idle()
})

test('work whose signal is aborted while it begins is given up, and its own failure is nobody’s unhandled rejection', async () => {
  const unhandled: unknown[] = []
  const hear = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', hear)
  const giving = new AbortController()
  const begin = () => {
    giving.abort('gave up')
    return Promise.reject(new Error('failed later'))
  }
  await expect(operation<void>().runAsync({ signal: giving.signal }, begin)).rejects.toBe('gave up')
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', hear)
  expect(unhandled).toEqual([])
})

test('a call that has ended lets go of its signal', async () => {
  const { signal } = new AbortController()
  const listeners = new Set<unknown>()
  signal.addEventListener = (_type: string, listener: unknown) => void listeners.add(listener)
  signal.removeEventListener = (_type: string, listener: unknown) => void listeners.delete(listener)
  await operation<void>().runAsync({ signal }, async () => {
    expect(listeners.size).toBe(1)
  })
  expect(listeners.size).toBe(0)
})

test('a thousand calls of one signal share one listener, without a warning, and end at once when it is aborted', async () => {
  const warnings: Error[] = []
  const hear = (warning: Error) => warnings.push(warning)
  process.on('warning', hear)
  const giving = new AbortController()
  const never = () => new Promise<void>(() => {})
  const calls = Array.from({ length: 1_000 }, () => operation<void>().runAsync({ signal: giving.signal }, never))
  expect(getEventListeners(giving.signal, 'abort')).toHaveLength(1)
  giving.abort('gave up')
  const outcomes = await Promise.allSettled(calls)
  expect(new Set(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason))).toEqual(new Set(['gave up']))
  expect(getEventListeners(giving.signal, 'abort')).toEqual([])
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', hear)
  expect(warnings).toEqual([])
})

test('a signal is listened to as long as one of its calls is under way, whichever ends first', async () => {
  const giving = new AbortController()
  const under = [0, 1].map(() => {
    let end = () => {}
    const work = new Promise<void>((resolve) => {
      end = resolve
    })
    return { end: () => end(), call: operation<void>().runAsync({ signal: giving.signal }, () => work) }
  }) as [{ end(): void; call: Promise<void> }, { end(): void; call: Promise<void> }]
  under[0].end()
  await under[0].call
  expect(getEventListeners(giving.signal, 'abort')).toHaveLength(1)
  giving.abort('gave up')
  await expect(under[1].call).rejects.toBe('gave up')
})

test('an operation counts its deadline from the running clock, whatever the time since (D1, D3)', async () => {
  const environment = { ...systemEnvironment, running: () => 5, monotonic: () => 700 }
  context = { calls, environment, telemetry } as unknown as OperationContext
  const call = operation<void>()
  await call.runAsync(undefined, () => {})
  expect(call.started).toBe(5)
})
