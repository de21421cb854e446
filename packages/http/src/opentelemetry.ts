/**
 * Fieldwise in OpenTelemetry: a span for each call, and metrics, by the semantic conventions for databases 1.45. It listens to what the
 * core tells on `node:diagnostics_channel`, so nothing of the application changes and no other module has to be loaded first.
 *
 * @module @fieldwise/http/opentelemetry
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  type Attributes,
  context,
  type Meter,
  type MeterProvider,
  metrics,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import type { FieldwiseEvents, OperationEvent, SessionEvent } from 'fieldwise'
import { assertOptions, fromCaller } from 'fieldwise/adapter'
import { wallClock } from './lib/adapter/wall-clock.js'

/** For {@link instrumentFieldwise}. */
export interface InstrumentationOptions {
  /** Where spans go. Default: the global one. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Where metrics go. Default: the global one at the time of the call, so start the SDK first. */
  readonly meterProvider?: MeterProvider | undefined
  /** Puts the session's public id into spans, as `session.id`. It opens nothing, but it tells one visitor from another. Default: false. */
  readonly sessionId?: boolean | undefined
  /** Where the memcached server of a label is, for `server.address` and `server.port`. Default: left out, since a label shows no address. */
  readonly serverOf?: ((label: string) => ServerAddress | undefined) | undefined
}

/** A host name, an IP address, or the path of a unix socket, which has no port. */
export interface ServerAddress {
  readonly address: string
  readonly port?: number | undefined
}

/**
 * Makes a span of every call of every `createSessions` in this process, and counts. Call it once, when the SDK has been started.
 * Gives back a function that ends it.
 *
 * Spans are children of the span that was active where the call was made, and are named after the call and the prefix, as in `get shop:`. Neither
 * spans nor metrics ever hold a token, a secret or a value.
 *
 * | attribute | spans | metrics | |
 * |---|---|---|---|
 * | `db.system.name` | yes | yes | `memcached`, or `memory` for the embedded store |
 * | `db.operation.name` | yes | duration | `get`, `update`, `open`, … |
 * | `db.namespace` | yes | yes | the prefix, where there is one |
 * | `db.operation.batch.size` | yes | | how many fields, where there are two or more: each is a request of its own |
 * | `error.type` | yes | duration | the error's `code`; `_OTHER` for what is not Fieldwise's own, such as an abort |
 * | `server.address`, `server.port` | yes | yes | from `serverOf`; the port where it is not 11211 |
 * | `fieldwise.server` | yes | yes | the label of the memcached server |
 * | `fieldwise.fields` | yes | | the names of the fields |
 * | `session.id` | if asked for | | the session's public id |
 *
 * | metric | |
 * |---|---|
 * | `db.client.operation.duration` | histogram, in seconds |
 * | `fieldwise.conflicts` | compare-and-swaps that found somebody else was first |
 * | `fieldwise.combined` | updates that went out with another one's compare-and-swap |
 * | `fieldwise.lost` | sessions that ended because one of their items was gone |
 * | `fieldwise.forged` | tokens of a living session with a secret that is not its own |
 * | `fieldwise.unknown` | calls that ended in `OUTCOME_UNKNOWN` |
 * | `fieldwise.unavailable` | calls that ended in `STORE_UNAVAILABLE` |
 *
 * @example
 * const stop = instrumentFieldwise()
 */
export function instrumentFieldwise(options: InstrumentationOptions = {}): () => void {
  fromCaller(instrumentFieldwise, () => assertOptions('instrumentFieldwise', options, known))
  const { tracerProvider = trace, meterProvider = metrics } = options
  const tracer = tracerProvider.getTracer(scope, undefined, { schemaUrl })
  const meter = meterProvider.getMeter(scope, undefined, { schemaUrl })
  const stops = [traceOperations(tracer, meter, options), countCombined(meter, options)]
  for (const counter of eventCounters) stops.push(countEvents(meter, counter, options))
  return () => {
    for (const stop of stops) stop()
  }
}

const known = ['tracerProvider', 'meterProvider', 'sessionId', 'serverOf']
const scope = '@fieldwise/http/opentelemetry'
const schemaUrl = 'https://opentelemetry.io/schemas/1.45.0'

/** The span and the duration of a call have the same attributes and the same length, as the conventions ask. */
function traceOperations(tracer: Tracer, meter: Meter, options: InstrumentationOptions): () => void {
  const toWallTime = wallClock()
  const duration = meter.createHistogram('db.client.operation.duration', {
    description: 'Duration of database client operations.',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] },
  })
  return listen('fieldwise:operation', (event) => {
    // The event is told in the async context of the caller, so this is the caller's span.
    const parent = context.active()
    const shared = { ...placeAttributes(event, options), ...operationAttributes(event) }
    const attributes = { ...shared, ...spanAttributes(event, options) }
    // The kind is the same for the embedded store, so that what is tested with it looks as it will in production.
    const startTime = toWallTime(event.started)
    const span = tracer.startSpan(spanName(event), { kind: SpanKind.CLIENT, startTime, attributes }, parent)
    if (event.error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end(startTime + event.duration)
    duration.record(event.duration / 1_000, shared, trace.setSpan(parent, span))
  })
}

function countCombined(meter: Meter, options: InstrumentationOptions): () => void {
  const description = "Updates that went out with another one's compare-and-swap."
  const counter = meter.createCounter('fieldwise.combined', { description, unit: '{update}' })
  return listen('fieldwise:write', (event) => {
    if (event.combined > 1) counter.add(event.combined - 1, placeAttributes(event, options))
  })
}

interface EventCounter {
  readonly event: 'fieldwise:conflict' | 'fieldwise:lost' | 'fieldwise:forged' | 'fieldwise:unknown' | 'fieldwise:unavailable'
  readonly name: string
  readonly unit: string
  readonly description: string
}

const eventCounters: readonly EventCounter[] = [
  {
    event: 'fieldwise:conflict',
    name: 'fieldwise.conflicts',
    unit: '{conflict}',
    description: 'Compare-and-swaps that found that somebody else was first.',
  },
  {
    event: 'fieldwise:lost',
    name: 'fieldwise.lost',
    unit: '{session}',
    description: 'Sessions that ended because an item that they list is gone.',
  },
  {
    event: 'fieldwise:forged',
    name: 'fieldwise.forged',
    unit: '{token}',
    description: 'Tokens with the id of a living session and a secret that is not its own.',
  },
  {
    event: 'fieldwise:unknown',
    name: 'fieldwise.unknown',
    unit: '{call}',
    description: 'Calls of which nobody can tell whether they were applied.',
  },
  {
    event: 'fieldwise:unavailable',
    name: 'fieldwise.unavailable',
    unit: '{call}',
    description: 'Calls that failed because a server did not answer.',
  },
]

function countEvents(meter: Meter, { event, name, ...shown }: EventCounter, options: InstrumentationOptions): () => void {
  const counter = meter.createCounter(name, shown)
  return listen(event, (message: SessionEvent) => counter.add(1, placeAttributes(message, options)))
}

/** Field names stay out of metrics: where the schema has a catchall, there is no end of them. */
function placeAttributes({ store, prefix, server }: SessionEvent, { serverOf }: InstrumentationOptions): Attributes {
  const place = server === undefined ? undefined : serverOf?.(server)
  return {
    'db.system.name': store,
    ...(prefix !== '' && { 'db.namespace': prefix }),
    ...(server !== undefined && { 'fieldwise.server': server }),
    ...(place !== undefined && { 'server.address': place.address }),
    ...(place?.port !== undefined && place.port !== defaultPort && { 'server.port': place.port }),
  }
}

const defaultPort = 11_211

function operationAttributes({ operation, error }: OperationEvent): Attributes {
  return {
    'db.operation.name': operation,
    ...(error !== undefined && { 'error.type': error === 'OTHER' ? '_OTHER' : error }),
  }
}

function spanAttributes({ fields, sid }: OperationEvent, { sessionId }: InstrumentationOptions): Attributes {
  return {
    ...(fields.length > 0 && { 'fieldwise.fields': [...fields] }),
    ...(fields.length > 1 && { 'db.operation.batch.size': fields.length }),
    ...(sessionId && sid !== undefined && { 'session.id': sid }),
  }
}

function spanName({ operation, prefix }: OperationEvent): string {
  return prefix === '' ? operation : `${operation} ${prefix}`
}

function listen<K extends keyof FieldwiseEvents>(name: K, listener: (event: FieldwiseEvents[K]) => void): () => void {
  const onMessage = (message: unknown) => listener(message as FieldwiseEvents[K])
  subscribe(name, onMessage)
  return () => void unsubscribe(name, onMessage)
}
