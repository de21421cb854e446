import { Crew } from '../lib/crew.js'
import { ratio, withSpread } from '../lib/figures.js'
import type { Grid } from '../lib/grid.js'
import { Memcached } from '../lib/memcached.js'
import type { Sample } from '../lib/meter.js'
import { Redis } from '../lib/redis.js'
import { alternate, type Entrant } from '../lib/rounds.js'
import { Repeats } from '../lib/statistics.js'
import type { Scale, Section, Table } from '../lib/table.js'
import type { Kind } from './client.js'
import { type ClientName, clients } from './clients.js'
import type { ClientsApi } from './worker.js'

/** What is measured: all candidates by turns. */
interface Case {
  readonly kind: Kind
  readonly inFlight: number
}

const names = Object.keys(clients) as ClientName[]
const levels = [1, 16, 64, 256]
const cases: readonly Case[] = [
  ...levels.map((inFlight): Case => ({ kind: 'get text', inFlight })),
  { kind: 'get object', inFlight: 64 },
  ...levels.map((inFlight): Case => ({ kind: 'update number', inFlight })),
  { kind: 'update object', inFlight: 64 },
]
/** What all are compared with, updates too: the bare `get` of stock memjs, measured in the same rounds. */
const base = 'memjs, bare get'
const limit: ClientName = 'raw socket (meta)'

export const clientsTable: Table = {
  name: 'clients',
  title: 'Clients: a get and a compare-and-swap',
  async run(scale: Scale): Promise<Section> {
    await using memcached = await Memcached.start()
    await using redis = await Redis.start()
    const addresses = { memcached: memcached.address, redisPort: redis.port }
    await using crew = new Crew<ClientsApi>(new URL('./worker.js', import.meta.url))
    for (const name of names) await crew.add(name).call('open', { name, addresses, warmUp: scale.isQuick ? 400 : 2_000 })
    const results = new Map<Case, ClientResults>()
    const grids: Grid[] = []
    for (const one of cases) {
      const measured = await measureCase(crew, one, scale)
      results.set(one, measured)
      grids.push(scale.screen.show(grid(one, measured)))
    }
    return {
      text,
      grids,
      charts: [...results].filter(([{ inFlight }]) => inFlight === 64).map(([one, measured]) => chart(one, measured)),
    }
  },
}

const text = `Each candidate runs in one Node process, against one memcached and one redis-server.
Each operation in flight is on another of 1,024 values or sessions.
The text has 102 bytes, the object of six properties is 104 bytes of JSON, and the number counts.

A bare client returns what is stored, and the application parses it unless it is text.
To update, it reads the value with its version, changes it and stores it if the version is still the same.
Otherwise it starts over.
memjs has no such call, so its frames are built by hand.
Redis uses \`WATCH\`/\`MULTI\`, with a connection for each update in flight.

Fieldwise reads the session's header with the value, checks that the session lives,
validates the value with zod and returns it.
\`update\` does the same and stores by compare-and-swap,
under an id that tells what became of the write if the answer is lost.
"Each a new request" calls \`sessions.resume(token)\` before each operation and checks its secret.

The raw socket is the limit: a pipelined loop on memcached's meta protocol that checks nothing.
The base is the bare \`get\` of a text by memjs as it is installed, in the same rounds.`

type ClientResults = ReadonlyMap<string, readonly Sample[]>

function measureCase(crew: Crew<ClientsApi>, { kind, inFlight }: Case, scale: Scale): Promise<ClientResults> {
  const milliseconds = scale.isQuick ? 100 : 400
  const candidate = (name: string, client: ClientName, kind: Kind): Entrant<Sample> => ({
    name,
    measure: () => crew.get(client).call('measure', { kind, inFlight, milliseconds }),
  })
  const all = names.map((name) => candidate(name, name, kind))
  return alternate([candidate(base, 'memjs', 'get text'), ...all], scale)
}

function grid({ kind, inFlight }: Case, results: ClientResults): Grid {
  return {
    caption: `${kind}, ${inFlight} in flight`,
    columns: ['', 'operations/s', 'against memjs get', 'against the limit', 'µs each', 'µs of CPU each'],
    rows: [...results].map(([name, samples]) => {
      const [rate, baseRate, limitRate] = [rates(samples), rates(results.get(base)), rates(results.get(limit))]
      const time = new Repeats(rate.values.map((value) => 1e6 / value))
      const ratios = [rate.ratioTo(baseRate), rate.ratioTo(limitRate)].map(ratio)
      return [name, withSpread(rate), ...ratios, withSpread(time), withSpread(cpu(samples))]
    }),
  }
}

function chart({ kind, inFlight }: Case, results: ClientResults) {
  return {
    name: `clients-${kind.replace(' ', '-')}`,
    title: `${kind}: operations per second, ${inFlight} in flight`,
    unit: 'operations per second, one Node process; more is better. The raw socket, which checks nothing, is left out',
    kind: 'bars' as const,
    categories: [...results.keys()].filter((name) => name !== limit),
    series: [
      {
        name: 'operations/s',
        values: [...results].filter(([name]) => name !== limit).map(([, samples]) => rates(samples).median),
      },
    ],
  }
}

function rates(samples: readonly Sample[] = []): Repeats {
  return new Repeats(samples.map(({ operations, seconds }) => operations / seconds))
}

function cpu(samples: readonly Sample[]): Repeats {
  return new Repeats(samples.map(({ cpuSeconds, operations }) => (cpuSeconds * 1e6) / operations))
}
