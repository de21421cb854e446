import * as z from 'zod'

/**
 * A `Date`, stored as an ISO 8601 text in UTC to the millisecond. Comes back as a new `Date` of the same time; an invalid `Date` does
 * not fit (`FIELD_INVALID`).
 *
 * @example
 * const schema = z.object({ since: dateCodec, seen: dateCodec.default(() => new Date()) })
 */
export const dateCodec: z.ZodCodec<z.ZodString, z.ZodDate> = z.codec(z.string(), z.date(), {
  decode: (text, context) => {
    const date = new Date(text)
    return isoOf(date) === text ? date : unreadable(context, 'datetime')
  },
  encode: (date) => date.toISOString(),
})

/**
 * A `bigint` of any size, stored as its decimal text.
 *
 * @example
 * const schema = z.object({ balance: bigintCodec.default(0n) })
 */
export const bigintCodec: z.ZodCodec<z.ZodString, z.ZodBigInt> = z.codec(z.string().regex(/^(?:0|-?[1-9]\d*)$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (number) => number.toString(),
})

/**
 * Bytes, stored as base64. Comes back as a new `Uint8Array` with a buffer of its own, also where a `Buffer` was given.
 *
 * @example
 * const schema = z.object({ challenge: bytesCodec })
 */
export const bytesCodec: z.ZodCodec<z.ZodString, z.ZodCustom<Uint8Array, Uint8Array>> = z.codec(z.string(), bytes(), {
  decode: (text, context) => {
    const decoded = Buffer.from(text, 'base64')
    return decoded.toString('base64') === text ? new Uint8Array(decoded) : unreadable(context, 'base64')
  },
  encode: (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
})

/**
 * A `Map`, stored as a list of pairs in its order. Keys and values may have codecs of their own.
 *
 * @example
 * const schema = z.object({ visitedAt: mapCodec(z.string(), dateCodec).default(new Map()) })
 */
export function mapCodec<K extends z.ZodType, V extends z.ZodType>(key: K, value: V): MapCodec<K, V> {
  const pairs = z.array(z.tuple([key, value])) as unknown as z.ZodType<[z.output<K>, z.output<V>][], [z.input<K>, z.input<V>][]>
  const map = z.custom<Map<z.output<K>, z.output<V>>>((candidate) => candidate instanceof Map)
  return z.codec(pairs, map, { decode: (list) => new Map(list), encode: (entries) => [...entries] }) as unknown as MapCodec<K, V>
}

/** What {@link mapCodec} makes. */
export type MapCodec<K extends z.ZodType, V extends z.ZodType> = z.ZodCodec<
  z.ZodArray<z.ZodTuple<[K, V], null>>,
  z.ZodCustom<Map<z.output<K>, z.output<V>>, Map<z.output<K>, z.output<V>>>
>

/**
 * A `Set`, stored as a list in its order. Its values may have a codec of their own.
 *
 * @example
 * const schema = z.object({ read: setCodec(z.uuid()).default(new Set()) })
 */
export function setCodec<V extends z.ZodType>(value: V): SetCodec<V> {
  const list = z.array(value) as unknown as z.ZodType<z.output<V>[], z.input<V>[]>
  const set = z.custom<Set<z.output<V>>>((candidate) => candidate instanceof Set)
  return z.codec(list, set, { decode: (values) => new Set(values), encode: (values) => [...values] }) as unknown as SetCodec<V>
}

/** What {@link setCodec} makes. */
export type SetCodec<V extends z.ZodType> = z.ZodCodec<z.ZodArray<V>, z.ZodCustom<Set<z.output<V>>, Set<z.output<V>>>>

function bytes(): z.ZodCustom<Uint8Array, Uint8Array> {
  return z.custom<Uint8Array>((candidate) => candidate instanceof Uint8Array)
}

function isoOf(date: Date): string | undefined {
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}

function unreadable(context: z.core.ParsePayload<string>, format: 'datetime' | 'base64'): never {
  context.issues.push({ code: 'invalid_format', format, input: context.value, continue: false })
  return z.NEVER
}
