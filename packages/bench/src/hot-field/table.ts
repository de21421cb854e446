import type { Addresses } from '../lib/addresses.js'
import { Crew } from '../lib/crew.js'
import { count, percent, ratio, withSpread } from '../lib/figures.js'
import type { Grid } from '../lib/grid.js'
import { Memcached } from '../lib/memcached.js'
import { Redis } from '../lib/redis.js'
import { alternate } from '../lib/rounds.js'
import { median, quantile, Repeats } from '../lib/statistics.js'
import type { Scale, Section, Table } from '../lib/table.js'
import type { HotSample } from './updater.js'
import { type UpdaterName, updaterNames } from './updaters.js'
import type { HotApi } from './worker.js'

/** How the 64 updaters are spread. */
interface Spread {
  readonly processes: number
  readonly updaters: number
}

const spreads: readonly Spread[] = [
  { processes: 1, updaters: 64 },
  { processes: 4, updaters: 16 },
]
const base: UpdaterName = 'naive loop, raw socket'

export const hotFieldTable: Table = {
  name: 'hot-field',
  title: 'One hot field: 64 updaters of one value',
  async run(scale: Scale): Promise<Section> {
    await using memcached = await Memcached.start()
    await using redis = await Redis.start()
    const addresses = { memcached: memcached.address, redisPort: redis.port }
    const results: { spread: Spread; results: HotFieldResults }[] = []
    const grids: Grid[] = []
    for (const spread of spreads) {
      const measured = await measureAll(addresses, spread, scale)
      results.push({ spread, results: measured })
      grids.push(scale.screen.show(grid(spread, measured)))
    }
    return {
      text,
      grids,
      charts: [
        {
          name: 'hot-field',
          title: 'Updates of one field per second, 64 updaters',
          unit: 'acknowledged updates per second; more is better',
          kind: 'bars',
          categories: updaterNames,
          series: results.map(({ spread, results }) => ({
            name: nameOf(spread),
            values: updaterNames.map((name) => rates(results, name).median),
          })),
        },
      ],
    }
  },
}

const text = `64 updaters add one to the same value with an update function, as fast as they are answered,
in one process and in four.
"Kept" compares what is stored afterwards with what was acknowledged.

The naive loop reads, changes and stores if the version is the same, and starts over at once if it is not.
It runs once on the raw socket and once with memjs.
The lock is that of PHP's Redis session handler (\`SET NX\`, tried again after 20 ms, its default).
The base is the naive loop on the raw socket.

A conflict is an attempt that came second; a wait for the lock counts as one.
Fieldwise does not report its conflicts here.
Refused are updates that ended with an error.`

/** All processes of a candidate together, in one repeat. */
interface Together {
  readonly acknowledged: number
  readonly conflicts: number
  readonly refused: number
  readonly stored: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly median: number
  readonly p99: number
  readonly slowest: number
}

type HotFieldResults = ReadonlyMap<string, readonly Together[]>

async function measureAll(addresses: Addresses, spread: Spread, scale: Scale): Promise<HotFieldResults> {
  await using crew = new Crew<HotApi>(new URL('./worker.js', import.meta.url))
  for (const name of updaterNames) await openAll(crew, name, addresses, spread)
  const milliseconds = scale.isQuick ? 300 : 1_500
  const candidates = updaterNames.map((name) => ({ name, measure: () => measureOne(crew, name, spread, milliseconds) }))
  return await alternate(candidates, scale)
}

async function openAll(crew: Crew<HotApi>, name: UpdaterName, addresses: Addresses, spread: Spread): Promise<void> {
  let found: string | undefined
  for (const member of membersOf(name, spread)) {
    const opened = await crew.add(member).call('open', { name, addresses, ...(found !== undefined && { found }) })
    found ??= opened
  }
}

async function measureOne(crew: Crew<HotApi>, name: UpdaterName, spread: Spread, milliseconds: number): Promise<Together> {
  const members = membersOf(name, spread).map((member) => crew.get(member))
  const before = await members[0]?.call('visits', null)
  const samples = await Promise.all(members.map((member) => member.call('measure', { updaters: spread.updaters, milliseconds })))
  const after = await members[0]?.call('visits', null)
  return together(samples, (after ?? 0) - (before ?? 0))
}

function together(samples: readonly HotSample[], stored: number): Together {
  const sum = (part: 'acknowledged' | 'conflicts' | 'refused' | 'cpuSeconds') => samples.reduce((all, one) => all + one[part], 0)
  const latencies = Float64Array.from(samples.flatMap((sample) => [...sample.latencies])).sort()
  return {
    acknowledged: sum('acknowledged'),
    conflicts: sum('conflicts'),
    refused: sum('refused'),
    cpuSeconds: sum('cpuSeconds'),
    seconds: Math.max(...samples.map(({ seconds }) => seconds)),
    stored,
    median: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    slowest: latencies[latencies.length - 1] ?? Number.NaN,
  }
}

function grid(spread: Spread, results: HotFieldResults): Grid {
  return {
    caption: nameOf(spread),
    columns: [
      '',
      'updates/s',
      'against the naive loop',
      'µs of CPU each',
      'conflicts each',
      'p50 ms',
      'p99 ms',
      'slowest ms',
      'slowest/p50',
      'refused',
      'kept',
    ],
    rows: updaterNames.map((name) => rowOf(name, results)),
  }
}

function rowOf(name: UpdaterName, results: HotFieldResults): string[] {
  const repeats = results.get(name) ?? []
  const middle = (value: (one: Together) => number) => median(repeats.map(value))
  const all = (part: 'acknowledged' | 'refused' | 'stored') => repeats.reduce((sum, one) => sum + one[part], 0)
  const isOurs = name.startsWith('Fieldwise')
  return [
    name,
    withSpread(rates(results, name)),
    ratio(rates(results, name).ratioTo(rates(results, base))),
    count(middle(({ cpuSeconds, acknowledged }) => (cpuSeconds * 1e6) / acknowledged)),
    isOurs ? '' : count(middle(({ conflicts, acknowledged }) => conflicts / acknowledged)),
    count(middle(({ median }) => median)),
    count(middle(({ p99 }) => p99)),
    count(middle(({ slowest }) => slowest)),
    count(middle(({ slowest, median }) => slowest / median)),
    count(all('refused')),
    percent(all('stored') / all('acknowledged')),
  ]
}

function rates(results: HotFieldResults, name: UpdaterName): Repeats {
  return new Repeats((results.get(name) ?? []).map(({ acknowledged, seconds }) => acknowledged / seconds))
}

function nameOf({ processes, updaters }: Spread): string {
  return processes === 1 ? `${updaters} updaters in one process` : `${processes} processes with ${updaters} updaters each`
}

function membersOf(name: UpdaterName, { processes }: Spread): string[] {
  return Array.from({ length: processes }, (_, index) => `${name}, process ${index + 1}`)
}
