import { channel } from 'node:diagnostics_channel'
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { FieldEvent, FieldwiseEvents, OperationEvent, SessionEvent, WriteEvent } from 'fieldwise'
import { createSessions, memoryStore } from 'fieldwise'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type InstrumentationOptions, instrumentFieldwise } from './opentelemetry.js'

const sid = '11111111-2222-4333-8444-555555555555~ab12'

const session: SessionEvent = { store: 'memcached', prefix: '', sid, server: 'ab12' }
const field: FieldEvent = { ...session, field: 'cart' }
const write: WriteEvent = { ...field, bytes: 120, deleted: false, combined: 1 }
const get: OperationEvent = {
  ...session,
  operation: 'get',
  fields: ['cart'],
  started: 1_000,
  duration: 2.5,
  error: undefined,
}

let sdk: Sdk
beforeEach(() => {
  sdk = new Sdk()
})
afterEach(() => sdk.stop())

describe('a span', () => {
  test('is a client call to a database, by the semantic conventions', () => {
    sdk.instrument()
    tell('fieldwise:operation', get)
    const [span] = sdk.spans()
    expect(span).toMatchObject({ name: 'get', kind: SpanKind.CLIENT, status: { code: SpanStatusCode.UNSET } })
    expect(span?.attributes).toEqual({
      'db.system.name': 'memcached',
      'db.operation.name': 'get',
      'fieldwise.server': 'ab12',
      'fieldwise.fields': ['cart'],
    })
    expect(span?.instrumentationScope.schemaUrl).toBe('https://opentelemetry.io/schemas/1.45.0')
  })

  test('begins and ends when the call did', () => {
    sdk.instrument()
    const before = Date.now() - 30
    const started = performance.now() - 30
    const after = Date.now() - 30
    tell('fieldwise:operation', { ...get, started, duration: 12.5 })
    const [span] = sdk.spans()
    expect(milliseconds(span?.duration)).toBeCloseTo(12.5, 3)
    expect(milliseconds(span?.startTime)).toBeGreaterThan(before - 10)
    expect(milliseconds(span?.startTime)).toBeLessThan(after + 10)
  })

  test('is the child of the span that is active where the call was made', () => {
    sdk.instrument()
    const request = sdk.tracerProvider.getTracer('app').startSpan('GET /cart')
    context.with(trace.setSpan(context.active(), request), () => tell('fieldwise:operation', get))
    tell('fieldwise:operation', get)
    const [child, orphan] = sdk.spans()
    expect(child?.parentSpanContext?.spanId).toBe(request.spanContext().spanId)
    expect(child?.spanContext().traceId).toBe(request.spanContext().traceId)
    expect(orphan?.parentSpanContext).toBeUndefined()
  })

  test('is named after the prefix, which is the namespace', () => {
    sdk.instrument()
    tell('fieldwise:operation', { ...get, prefix: 'shop:' })
    const [span] = sdk.spans()
    expect(span?.name).toBe('get shop:')
    expect(span?.attributes['db.namespace']).toBe('shop:')
  })

  test('tells how many fields were asked for, if several', () => {
    sdk.instrument()
    tell('fieldwise:operation', { ...get, operation: 'getMany', fields: ['cart', 'visits', 'username'] })
    tell('fieldwise:operation', { ...get, operation: 'getAll', fields: [] })
    expect(sdk.spans().map(({ attributes }) => attributes['db.operation.batch.size'])).toEqual([3, undefined])
  })

  test.each([
    ['UPDATE_CONFLICT', 'UPDATE_CONFLICT'],
    ['OTHER', '_OTHER'],
  ] as const)('of a call that ended in %s is an error of the type %s', (error, type) => {
    sdk.instrument()
    tell('fieldwise:operation', { ...get, error })
    const [span] = sdk.spans()
    expect(span?.status.code).toBe(SpanStatusCode.ERROR)
    expect(span?.attributes['error.type']).toBe(type)
  })

  test('names the server where it is known', () => {
    sdk.instrument({
      serverOf: (label) => ({ ab12: { address: 'cache-1', port: 11_212 }, cd34: { address: 'cache-2', port: 11_211 } })[label],
    })
    for (const server of ['ab12', 'cd34', 'zz99', undefined]) tell('fieldwise:operation', { ...get, server })
    expect(sdk.spans().map(({ attributes: it }) => [it['server.address'], it['server.port'], it['fieldwise.server']])).toEqual([
      ['cache-1', 11_212, 'ab12'],
      ['cache-2', undefined, 'cd34'],
      [undefined, undefined, 'zz99'],
      [undefined, undefined, undefined],
    ])
  })

  test('holds the id of the session only if asked for', () => {
    const stop = sdk.instrument()
    tell('fieldwise:operation', get)
    stop()
    sdk.instrument({ sessionId: true })
    tell('fieldwise:operation', get)
    const [without, with_] = sdk.spans()
    expect(JSON.stringify(without?.attributes)).not.toContain(sid)
    expect(with_?.attributes['session.id']).toBe(sid)
  })
})

describe('metrics', () => {
  test('hold the durations of calls, in seconds and in the buckets of the conventions', async () => {
    sdk.instrument()
    tell('fieldwise:operation', get)
    tell('fieldwise:operation', { ...get, duration: 40 })
    tell('fieldwise:operation', { ...get, duration: 700, error: 'STORE_UNAVAILABLE' })
    const metric = await sdk.metric('db.client.operation.duration')
    const points = metric?.dataPoints as { attributes: object; value: Histogram }[]
    expect(metric?.descriptor).toMatchObject({ unit: 's' })
    expect(points.map(({ attributes }) => attributes)).toEqual([
      { 'db.system.name': 'memcached', 'db.operation.name': 'get', 'fieldwise.server': 'ab12' },
      {
        'db.system.name': 'memcached',
        'db.operation.name': 'get',
        'fieldwise.server': 'ab12',
        'error.type': 'STORE_UNAVAILABLE',
      },
    ])
    expect(points[0]?.value).toMatchObject({ count: 2, sum: 0.0425 })
    expect(points[0]?.value.buckets.boundaries).toEqual([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10])
    expect(points[0]?.value.buckets.counts).toEqual([0, 1, 0, 1, 0, 0, 0, 0, 0, 0])
  })

  test.each([
    ['fieldwise:conflict', 'fieldwise.conflicts', field],
    ['fieldwise:lost', 'fieldwise.lost', field],
    ['fieldwise:forged', 'fieldwise.forged', session],
    ['fieldwise:unknown', 'fieldwise.unknown', session],
    ['fieldwise:unavailable', 'fieldwise.unavailable', session],
  ] as const)('count what %s tells as %s', async (event, name, message) => {
    sdk.instrument()
    tell(event, message)
    tell(event, { ...message, server: 'cd34' })
    tell(event, { ...message, server: 'cd34' })
    const metric = await sdk.metric(name)
    expect(metric?.dataPoints.map(({ value, attributes }) => [attributes['fieldwise.server'], value])).toEqual([
      ['ab12', 1],
      ['cd34', 2],
    ])
    expect(JSON.stringify(metric?.dataPoints)).not.toMatch(/cart|11111111/)
  })

  test('count the updates that needed no compare-and-swap of their own', async () => {
    sdk.instrument()
    for (const combined of [1, 5, 3]) tell('fieldwise:write', { ...write, combined })
    expect((await sdk.metric('fieldwise.combined'))?.dataPoints.map(({ value }) => value)).toEqual([6])
  })
})

describe('real sessions', () => {
  test('have spans under the span of their request, each call one', async () => {
    sdk.instrument({ sessionId: true })
    await using sessions = createSessions({ schema, prefix: 'shop:' })
    const tracer = sdk.tracerProvider.getTracer('app')
    const made = await sessions.create({ username: 'ada' })
    const visit = async (name: string) => {
      const request = tracer.startSpan(name)
      await context.with(trace.setSpan(context.active(), request), async () => {
        const session = sessions.resume(made.token)
        await session.increment('visits')
        await session.getMany(['username', 'visits'])
      })
      request.end()
      return request.spanContext().spanId
    }
    const [one, other] = await Promise.all([visit('one'), visit('other')])
    const spans = sdk.spans().filter(({ name }) => name.endsWith('shop:'))
    const under = (parent: string | undefined) =>
      spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent).map(({ name }) => name)
    expect(under(undefined)).toEqual(['create shop:'])
    for (const parent of [one, other]) expect(under(parent)).toEqual(['increment shop:', 'getMany shop:'])
    expect(spans.map(({ attributes }) => attributes['session.id'])).toEqual(spans.map(() => made.id))
    expect(spans.at(-1)?.attributes).toMatchObject({ 'db.system.name': 'memory', 'db.operation.batch.size': 2 })
  })

  test('of a user have spans and durations by the names of what was asked of them', async () => {
    sdk.instrument({ sessionId: true })
    await using sessions = createSessions({ schema, prefix: 'shop:' })
    await sessions.create({ username: 'ada' }, { user: '4711' })
    const user = sessions.user('4711')
    await user.list({ preload: ['username'] })
    await user.count()
    await user.end()
    const spans = sdk.spans().map(({ name, attributes }) => [name, attributes['session.id'] !== undefined])
    expect(spans).toEqual([
      ['create shop:', true],
      ['user.list shop:', false],
      ['user.count shop:', false],
      ['user.end shop:', false],
    ])
    const durations = (await sdk.metric('db.client.operation.duration'))?.dataPoints
    expect(durations?.map(({ attributes }) => attributes['db.operation.name'])).toEqual([
      'create',
      'user.list',
      'user.count',
      'user.end',
    ])
    expect(JSON.stringify([sdk.spans().map(({ attributes }) => attributes), durations])).not.toContain('4711')
  })

  test('put no token, secret or value anywhere', async () => {
    sdk.instrument({ sessionId: true })
    const canary = 'canary-7f3a'
    await using sessions = createSessions({ schema })
    const session = await sessions.create({ username: canary })
    const [, secret] = (session.token as string).split('.')
    await session.set('username', `${canary}!`)
    await session.set('visits', canary as unknown as number).catch(() => {})
    await session
      .update('username', () => {
        throw new Error(canary)
      })
      .catch(() => {})
    await sessions.open(`${session.id}.${'A'.repeat(43)}`)
    await session.destroy()
    const exported = JSON.stringify([
      sdk.spans().map(({ name, attributes, events, status }) => [name, attributes, events, status]),
      await sdk.metrics(),
    ])
    expect(exported).toContain(session.id)
    expect(exported).not.toContain(canary)
    expect(exported).not.toContain(secret)
  })

  test('count as the store itself counts', async () => {
    sdk.instrument()
    await using sessions = createSessions({ schema, store: memoryStore() })
    const session = await sessions.create()
    await Promise.all([1, 2, 3, 4].map(() => session.increment('visits')))
    await sessions.open(`${session.id}.${'A'.repeat(43)}`)
    const { combined, operations } = sessions.stats()
    expect(combined).toBe(3)
    expect(sdk.spans()).toHaveLength(operations)
    expect((await sdk.metric('fieldwise.combined'))?.dataPoints.map(({ value }) => value)).toEqual([combined])
    expect((await sdk.metric('fieldwise.forged'))?.dataPoints.map(({ value }) => value)).toEqual([1])
  })
})

test('after it was ended, nothing is listened to any more', () => {
  const stop = sdk.instrument()
  expect(channel('fieldwise:operation').hasSubscribers).toBe(true)
  stop()
  tell('fieldwise:operation', get)
  expect(sdk.spans()).toEqual([])
  for (const name of ['operation', 'write', 'conflict', 'lost', 'forged', 'unknown', 'unavailable']) {
    expect(channel(`fieldwise:${name}`).hasSubscribers).toBe(false)
  }
})

test('without an SDK it costs no more than the calls, and nothing fails', () => {
  const stop = instrumentFieldwise()
  tell('fieldwise:operation', get)
  tell('fieldwise:conflict', field)
  stop()
})

const schema = z.object({ username: z.string(), visits: z.int().default(0) })

function tell<K extends keyof FieldwiseEvents>(name: K, event: FieldwiseEvents[K]): void {
  channel(name).publish(event)
}

function milliseconds([seconds, nanoseconds]: readonly [number, number] = [Number.NaN, 0]): number {
  return seconds * 1_000 + nanoseconds / 1_000_000
}

/** A whole SDK that keeps what it was given. */
class Sdk {
  readonly #exported = new InMemorySpanExporter()
  readonly tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#exported)] })
  readonly #metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  readonly #reader = new PeriodicExportingMetricReader({ exporter: this.#metrics, exportIntervalMillis: 3_600_000 })
  readonly #meterProvider = new MeterProvider({ readers: [this.#reader] })
  readonly #stops: (() => void)[] = []

  constructor() {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  }

  instrument(options: InstrumentationOptions = {}): () => void {
    const stop = instrumentFieldwise({ tracerProvider: this.tracerProvider, meterProvider: this.#meterProvider, ...options })
    this.#stops.push(stop)
    return stop
  }

  spans() {
    return this.#exported.getFinishedSpans()
  }

  async metrics() {
    await this.#reader.forceFlush()
    const scopes = this.#metrics.getMetrics().at(-1)?.scopeMetrics ?? []
    return scopes.flatMap(({ metrics }) => metrics)
  }

  async metric(name: string) {
    return (await this.metrics()).find(({ descriptor }) => descriptor.name === name)
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop()
    context.disable()
    await Promise.all([this.tracerProvider.shutdown(), this.#meterProvider.shutdown()])
  }
}
