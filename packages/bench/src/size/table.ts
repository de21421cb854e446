import type { Addresses } from '../lib/addresses.js'
import { Crew } from '../lib/crew.js'
import { count, percent, withSpread } from '../lib/figures.js'
import type { Grid } from '../lib/grid.js'
import { Memcached } from '../lib/memcached.js'
import type { Sample } from '../lib/meter.js'
import { Redis } from '../lib/redis.js'
import { alternate } from '../lib/rounds.js'
import type { Screen } from '../lib/screen.js'
import { median, Repeats } from '../lib/statistics.js'
import type { Scale, Section, Table } from '../lib/table.js'
import { fieldCount } from './holder.js'
import { type HolderName, holders } from './holders.js'
import type { SizeApi } from './worker.js'

const names = Object.keys(holders) as HolderName[]
const kilobytes = [1, 8, 64, 512]
const kinds = ['read', 'write'] as const
/** What the others are compared with. */
const base: HolderName = 'connect-memcached'

export const sizeTable: Table = {
  name: 'size',
  title: `Session size: one field of ${fieldCount}`,
  async run(scale: Scale): Promise<Section> {
    await using memcached = await Memcached.start()
    await using redis = await Redis.start()
    await using crew = new Crew<SizeApi>(new URL('./worker.js', import.meta.url))
    await openAll(crew, { memcached: memcached.address, redisPort: redis.port }, scale.screen)
    const results = new Map<SizeCase, SizeResults>()
    const grids: Grid[] = []
    for (const kind of kinds) {
      for (const size of kilobytes) {
        const measured = await measureCase(crew, { kind, size }, scale, () => traffic(memcached, redis))
        results.set({ kind, size }, measured)
        grids.push(scale.screen.show(grid({ kind, size }, measured)))
      }
    }
    return {
      text,
      grids,
      charts: kinds.map((kind) => chart(kind, results)),
    }
  },
}

const text = `A session of ${fieldCount} texts, ${kilobytes.join(', ')} KB altogether: one has 40 characters, the others share the rest.
One of them is read or changed.
The other libraries keep the session in one item: they load all of it, and to change a field they save all of it.
One operation runs at a time.
Bytes are those that the server received and sent, by its own count.
Ratios of bytes are to ${base}.`

interface SizeCase {
  readonly kind: (typeof kinds)[number]
  readonly size: number
}

interface SizeResult extends Sample {
  /** Both ways. */
  readonly bytes: number
}

type SizeResults = ReadonlyMap<string, readonly SizeResult[]>

async function openAll(crew: Crew<SizeApi>, addresses: Addresses, screen: Screen): Promise<void> {
  for (const name of names) {
    screen.step(`opening: ${name}`)
    const member = crew.add(name)
    for (const size of kilobytes) {
      await member.call('open', { name, addresses, bytes: size * 1_024 })
      for (const kind of kinds) await member.call('measure', { bytes: size * 1_024, kind, milliseconds: 150 })
    }
  }
}

function measureCase(
  crew: Crew<SizeApi>,
  { kind, size }: SizeCase,
  scale: Scale,
  traffic: () => Promise<number>,
): Promise<SizeResults> {
  const milliseconds = scale.isQuick ? 60 : 400
  const candidates = names.map((name) => ({
    name,
    measure: async (): Promise<SizeResult> => {
      const before = await traffic()
      const sample = await crew.get(name).call('measure', { bytes: size * 1_024, kind, milliseconds })
      return { ...sample, bytes: (await traffic()) - before }
    },
  }))
  return alternate(candidates, scale)
}

/** All bytes that the two servers have received and sent. */
async function traffic(memcached: Memcached, redis: Redis): Promise<number> {
  const stats = await memcached.stats()
  const info = await redis.info()
  const ofMemcached = ['bytes_read', 'bytes_written'].map((name) => stats.get(name) ?? 0)
  const ofRedis = ['total_net_input_bytes', 'total_net_output_bytes'].map((name) => Number(info.get(name)))
  return [...ofMemcached, ...ofRedis].reduce((sum, bytes) => sum + bytes, 0)
}

function grid({ kind, size }: SizeCase, results: SizeResults): Grid {
  const baseBytes = bytesEach(results.get(base))
  return {
    caption: `${kind === 'read' ? 'read' : 'change'} one field, session of ${size} KB`,
    columns: ['', 'bytes each', `of ${base}'s`, 'µs each', 'µs of CPU each'],
    rows: [...results].map(([name, samples]) => {
      const bytes = bytesEach(samples)
      return [name, count(bytes), percent(bytes / baseBytes), withSpread(microseconds(samples)), withSpread(cpu(samples))]
    }),
  }
}

function chart(kind: SizeCase['kind'], results: ReadonlyMap<SizeCase, SizeResults>) {
  const cases = [...results].filter(([one]) => one.kind === kind)
  return {
    name: `size-${kind}`,
    title: kind === 'read' ? 'Reading one field of 20' : 'Changing one field of 20',
    unit: 'microseconds of time each, one at a time, by the size of the session; less is better',
    kind: 'bars' as const,
    categories: cases.map(([{ size }]) => `${size} KB`),
    series: names.map((name) => ({
      name,
      values: cases.map(([, measured]) => microseconds(measured.get(name) ?? []).median),
    })),
  }
}

function bytesEach(samples: readonly SizeResult[] = []): number {
  return median(samples.map(({ bytes, operations }) => bytes / operations))
}

function microseconds(samples: readonly Sample[]): Repeats {
  return new Repeats(samples.map(({ seconds, operations }) => (seconds * 1e6) / operations))
}

function cpu(samples: readonly Sample[]): Repeats {
  return new Repeats(samples.map(({ cpuSeconds, operations }) => (cpuSeconds * 1e6) / operations))
}
