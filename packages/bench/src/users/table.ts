import { Crew } from '../lib/crew.js'
import { count, ratio } from '../lib/figures.js'
import { Memcached } from '../lib/memcached.js'
import { Remote } from '../lib/remote.js'
import { median, medianInterval } from '../lib/statistics.js'
import type { StoreProtocol } from '../lib/store.js'
import type { Scale, Section, Table } from '../lib/table.js'
import type { Route } from '../servers/load/visitors.js'
import type { LoadApi } from '../servers/load/worker.js'
import type { UsersApi } from './worker.js'

const protocols: readonly StoreProtocol[] = ['binary', 'meta']
const routes: readonly Route[] = ['reading', 'writing']
const connections = 32
const sliceLength = 100

/** What one slice of one server came to. */
interface Slice {
  readonly rate: number
  /** Microseconds of the server's processor for a request. */
  readonly cpu: number
}

export const usersTable: Table = {
  name: 'users',
  title: 'Users: what it costs that a session is bound to a user',
  async run(scale: Scale): Promise<Section> {
    await using memcached = await Memcached.start()
    await using servers = new Crew<UsersApi>(new URL('./worker.js', import.meta.url))
    await using load = new Remote<LoadApi>(new URL('../servers/load/worker.js', import.meta.url), 'load')
    const rows: string[][] = []
    for (const protocol of protocols) {
      for (const isBound of [false, true]) {
        const name = nameOf(protocol, isBound)
        const addresses = { memcached: memcached.address, redisPort: 0 }
        const port = await servers.add(name).call('open', { addresses, protocol, isBound })
        await load.call('arrive', { group: name, port, connections, visitors: connections })
      }
      for (const route of routes) {
        scale.screen.step(`${protocol}, ${route} route`)
        rows.push(await compare(servers, load, protocol, route, scale))
      }
    }
    const columns = ['route', 'requests a second, unbound', 'bound', 'bound against unbound', 'by the server’s CPU time']
    const grid = { caption: `${connections} visitors, each with one session`, columns, rows }
    scale.screen.show(grid)
    return { text, grids: [grid], charts: [] }
  },
}

const text = `The application of the servers table, on one memcached.
Each visitor's session is bound to a user of its own, or to none.
Both take turns of ${sliceLength} ms, in either order.
A ratio is the median of the ratios of two slices that follow one another, with its 95 % interval.
Above 1 bound is faster, or takes less of the processor.`

/** Slices of both by turns: what slows the machine down for longer slows both down. */
async function compare(
  servers: Crew<UsersApi>,
  load: Remote<LoadApi>,
  protocol: StoreProtocol,
  route: Route,
  scale: Scale,
): Promise<string[]> {
  const slices: Record<'unbound' | 'bound', Slice[]> = { unbound: [], bound: [] }
  const take = async (which: 'unbound' | 'bound') => {
    const name = nameOf(protocol, which === 'bound')
    return measure(servers.get(name), load, name, route)
  }
  const pairs = scale.isQuick ? 20 : 120
  for (let pair = -pairs / 10; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? (['unbound', 'bound'] as const) : (['bound', 'unbound'] as const)
    for (const which of order) {
      const slice = await take(which)
      // The first ones warm up.
      if (pair >= 0) slices[which].push(slice)
    }
  }
  const { unbound, bound } = slices
  return [
    `${route}, ${protocol}`,
    count(median(unbound.map(({ rate }) => rate))),
    count(median(bound.map(({ rate }) => rate))),
    withInterval(bound.map(({ rate }, index) => rate / (unbound[index] as Slice).rate)),
    withInterval(bound.map(({ cpu }, index) => (unbound[index] as Slice).cpu / cpu)),
  ]
}

async function measure(server: Remote<UsersApi>, load: Remote<LoadApi>, group: string, route: Route): Promise<Slice> {
  const before = await server.call('cpu', null)
  const { operations, seconds, refused } = await load.call('measure', { group, route, milliseconds: sliceLength })
  if (refused > 0) throw new Error(`${refused} requests were refused`)
  const cpu = (await server.call('cpu', null)) - before
  return { rate: operations / seconds, cpu: (cpu * 1_000_000) / operations }
}

function withInterval(ratios: readonly number[]): string {
  const [low, high] = medianInterval(ratios)
  return `${ratio(median(ratios))} (${ratio(low)} to ${ratio(high)})`
}

function nameOf(protocol: StoreProtocol, isBound: boolean): string {
  return `${protocol}, ${isBound ? 'bound' : 'unbound'}`
}
