import { kinds } from '../clients/client.js'
import { type ClientName, clients } from '../clients/clients.js'
import type { ClientsApi } from '../clients/worker.js'
import { Crew } from '../lib/crew.js'
import { count } from '../lib/figures.js'
import { Memcached } from '../lib/memcached.js'
import { Redis } from '../lib/redis.js'
import type { Scale, Section, Table } from '../lib/table.js'
import type { Footprint } from './counting.js'

const names = Object.keys(clients) as ClientName[]

export const leanTable: Table = {
  name: 'lean',
  title: 'Lean paths: promises and memory for each operation',
  async run(scale: Scale): Promise<Section> {
    await using memcached = await Memcached.start()
    await using redis = await Redis.start()
    await using crew = new Crew<ClientsApi>(new URL('../clients/worker.js', import.meta.url))
    const addresses = { memcached: memcached.address, redisPort: redis.port }
    const milliseconds = scale.isQuick ? 80 : 500
    const footprints = new Map<ClientName, Footprint[]>()
    for (const name of names) {
      scale.screen.step(`measuring: ${name}`)
      await crew.add(name).call('open', { name, addresses, warmUp: milliseconds })
      const all: Footprint[] = []
      for (const kind of kinds) all.push(await crew.get(name).call('footprint', { kind, milliseconds }))
      footprints.set(name, all)
    }
    return {
      text,
      grids: [
        grid('promises', footprints, ({ promises }) => promises.toFixed(1)),
        grid('bytes allocated', footprints, ({ bytes }) => count(bytes)),
      ],
      charts: [],
    }
  },
}

const text = `What an operation of the table "clients" takes besides time, 64 in flight.
The one or two promises of the benchmark's own loop are included.
Promises are counted by \`async_hooks\`, bytes by V8's sampling heap profiler, including those already collected.
On a busy machine both are nearly the same.`

function grid(caption: string, footprints: ReadonlyMap<ClientName, Footprint[]>, figure: (one: Footprint) => string) {
  return {
    caption: `${caption}, each operation`,
    columns: ['', ...kinds],
    rows: [...footprints].map(([name, all]) => [name, ...all.map(figure)]),
  }
}
