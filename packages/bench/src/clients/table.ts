import { Crew } from '../lib/crew.js'
import { ratio, withSpread } from '../lib/figures.js'
import { Memcached } from '../lib/memcached.js'
import type { Sample } from '../lib/meter.js'
import { Redis } from '../lib/redis.js'
import { alternate } from '../lib/rounds.js'
import { Repeats } from '../lib/statistics.js'
import type { Grid, Scale, Section, Table } from '../lib/table.js'
import type { Kind } from './client.js'
import { type ClientName, clients } from './clients.js'
import type { ClientsApi } from './worker.js'

const names = Object.keys(clients) as ClientName[]
const kinds: readonly Kind[] = ['get', 'update']
const levels = [1, 16, 64, 256]
/** What the others are compared with: `get`s of this one, for updates too. */
const base: ClientName = 'memjs'

export const clientsTable: Table = {
  name: 'clients',
  title: 'Clients: a get and a compare-and-swap',
  async run(scale: Scale): Promise<Section> {
    await using memcached = await Memcached.start()
    await using redis = await Redis.start()
    const addresses = { memcached: memcached.address, redisPort: redis.port }
    await using crew = new Crew<ClientsApi>(new URL('./worker.js', import.meta.url))
    for (const name of names) await crew.add(name).call('open', { name, addresses, warmUp: scale.isQuick ? 300 : 1_500 })
    const results = await measureAll(crew, scale)
    return {
      text,
      grids: kinds.flatMap((kind) => levels.map((inFlight) => grid(results, kind, inFlight))),
      charts: kinds.map((kind) => ({
        name: `clients-${kind}`,
        title: kind === 'get' ? 'Gets per second, 64 in flight' : 'Compare-and-swap updates per second, 64 in flight',
        unit: 'operations per second, one Node process, values of 100 bytes; more is better',
        kind: 'bars' as const,
        categories: names,
        series: [{ name: 'operations/s', values: names.map((name) => rates(results, kind, 64, name).median) }],
      })),
    }
  },
}

const text = `One Node process for each candidate, one memcached and one redis-server. The value is an object of six properties, 104 bytes of JSON. Bare clients \`get\` its bytes.
To update it they read it with its version, parse, change, serialise and store it if the version is still the same (memjs by frames built by hand, since it has no such call; Redis by
\`WATCH\`/\`MULTI\` on a connection for each update in flight). Fieldwise reads the header with it, checks the session, validates the value with zod, and returns it; \`update\` does all that and
stores by compare-and-swap. Each operation in flight is on another of 1,024 sessions. "Each a new request" is \`sessions.resume(token)\` before each operation, with the check of its secret.
The raw socket is the limit: a pipelined loop that checks nothing. The base is memjs's bare \`get\`.`

type Results = ReadonlyMap<string, readonly Sample[]>

async function measureAll(crew: Crew<ClientsApi>, scale: Scale): Promise<ReadonlyMap<string, Results>> {
  const milliseconds = scale.isQuick ? 120 : 500
  const results = new Map<string, Results>()
  for (const kind of kinds) {
    for (const inFlight of levels) {
      const candidates = names.map((name) => ({
        name,
        measure: () => crew.get(name).call('measure', { kind, inFlight, milliseconds }),
      }))
      results.set(`${kind} ${inFlight}`, await alternate(candidates, scale.repeats))
    }
  }
  return results
}

function grid(results: ReadonlyMap<string, Results>, kind: Kind, inFlight: number): Grid {
  const bases = rates(results, 'get', inFlight, base)
  return {
    caption: `${kind}, ${inFlight} in flight`,
    columns: ['', `${kind}s/s`, `against memjs get`, 'µs of CPU each', inFlight === 1 ? 'µs each' : 'conflicts'].slice(
      0,
      inFlight === 1 ? 5 : 4,
    ),
    rows: names.map((name) => {
      const rate = rates(results, kind, inFlight, name)
      const cpu = new Repeats(
        samples(results, kind, inFlight, name).map(({ cpuSeconds, operations }) => (cpuSeconds * 1e6) / operations),
      )
      const cells = [name, withSpread(rate), ratio(rate.ratioTo(bases)), withSpread(cpu)]
      return inFlight === 1 ? [...cells, withSpread(new Repeats(rate.values.map((value) => 1e6 / value)))] : cells
    }),
  }
}

function rates(results: ReadonlyMap<string, Results>, kind: Kind, inFlight: number, name: ClientName): Repeats {
  return new Repeats(samples(results, kind, inFlight, name).map(({ operations, seconds }) => operations / seconds))
}

function samples(results: ReadonlyMap<string, Results>, kind: Kind, inFlight: number, name: ClientName): readonly Sample[] {
  return results.get(`${kind} ${inFlight}`)?.get(name) ?? []
}
