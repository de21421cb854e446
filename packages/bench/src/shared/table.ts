import { Crew } from '../lib/crew.js'
import { count, ratio, withSpread } from '../lib/figures.js'
import type { Grid } from '../lib/grid.js'
import { Memcached } from '../lib/memcached.js'
import type { Sample } from '../lib/meter.js'
import { Redis } from '../lib/redis.js'
import { alternate } from '../lib/rounds.js'
import { Repeats } from '../lib/statistics.js'
import type { Scale, Section, Table } from '../lib/table.js'
import { type SharerName, sharers } from './counters.js'
import type { Kind, SharedApi } from './worker.js'

const names = Object.keys(sharers) as SharerName[]
const base: SharerName = 'raw socket, compare-and-swap'
const cases: readonly { readonly kind: Kind; readonly inFlight: number }[] = [
  { kind: 'increment of 1,024 counters', inFlight: 1 },
  { kind: 'increment of 1,024 counters', inFlight: 64 },
  { kind: 'increment of one counter', inFlight: 64 },
  { kind: 'cache hit', inFlight: 1 },
  { kind: 'cache hit', inFlight: 64 },
]

export const sharedTable: Table = {
  name: 'shared',
  title: 'What servers share: a counter and a cache',
  async run(scale: Scale): Promise<Section> {
    await using memcached = await Memcached.start()
    await using redis = await Redis.start()
    const addresses = { memcached: memcached.address, redisPort: redis.port }
    await using crew = new Crew<SharedApi>(new URL('./worker.js', import.meta.url))
    const kindsOf = new Map<SharerName, readonly Kind[]>()
    for (const name of names) {
      kindsOf.set(name, await crew.add(name).call('open', { name, addresses, warmUp: scale.isQuick ? 300 : 1_500 }))
    }
    const grids: Grid[] = []
    for (const { kind, inFlight } of cases) {
      const milliseconds = scale.isQuick ? 100 : 400
      const candidates = names
        .filter((name) => kindsOf.get(name)?.includes(kind))
        .map((name) => ({ name, measure: () => crew.get(name).call('measure', { kind, inFlight, milliseconds }) }))
      grids.push(scale.screen.show(grid(`${kind}, ${inFlight} in flight`, await alternate(candidates, scale))))
    }
    grids.push(scale.screen.show(await exactness(crew, scale.isQuick ? 1_000 : 10_000)))
    return { text, grids, charts: [] }
  },
}

const text = `Each candidate runs in one Node process, against one memcached and one redis-server.

The raw socket is the limit: it reads, adds one, stores if the version is the same, and checks nothing.
By hand, \`incr\` is sent, and \`add\` where there is nothing yet; rate-limiter-flexible does the same on memcached,
and runs a script on Redis. Both count in one round trip, and cannot tell what became of one whose answer was lost.
Fieldwise takes two, and shares them between all increments of one counter that wait at once.

A cache hit reads an object of six properties, parses it, and with Fieldwise validates it.`

async function exactness(crew: Crew<SharedApi>, operations: number): Promise<Grid> {
  const rows: string[][] = []
  for (const name of names) rows.push([name, count(operations), count(await crew.get(name).call('grown', operations))])
  return { caption: 'Exactness: one counter, 64 in flight', columns: ['', 'increments', 'counted'], rows }
}

function grid(caption: string, results: ReadonlyMap<string, readonly Sample[]>): Grid {
  return {
    caption,
    columns: ['', 'operations/s', 'against the raw socket', 'µs of CPU each'],
    rows: [...results].map(([name, samples]) => {
      const rate = rates(samples)
      return [name, withSpread(rate), ratio(rate.ratioTo(rates(results.get(base)))), withSpread(cpu(samples))]
    }),
  }
}

function rates(samples: readonly Sample[] = []): Repeats {
  return new Repeats(samples.map(({ operations, seconds }) => operations / seconds))
}

function cpu(samples: readonly Sample[]): Repeats {
  return new Repeats(samples.map(({ cpuSeconds, operations }) => (cpuSeconds * 1e6) / operations))
}
