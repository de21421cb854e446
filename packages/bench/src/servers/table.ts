import { Crew } from '../lib/crew.js'
import { count, percent, ratio, withSpread } from '../lib/figures.js'
import type { Grid } from '../lib/grid.js'
import { Memcached } from '../lib/memcached.js'
import { Redis } from '../lib/redis.js'
import { Remote } from '../lib/remote.js'
import { alternate } from '../lib/rounds.js'
import { median, Repeats } from '../lib/statistics.js'
import type { Scale, Section, Table } from '../lib/table.js'
import { type KeepingName, keepings } from './keepings.js'
import type { Route, ServedCount } from './load/visitors.js'
import type { LoadApi } from './load/worker.js'
import type { ServerApi } from './worker.js'

const names = Object.keys(keepings) as KeepingName[]
const routes: readonly Route[] = ['reading', 'writing']
const connections = 32
/** All connections are one visitor's, or each is another one's. */
const crowds = [1, connections]
const base: KeepingName = 'bare Express'

export const serversTable: Table = {
  name: 'servers',
  title: 'Servers: requests to an Express application',
  async run(scale: Scale): Promise<Section> {
    await using memcached = await Memcached.start()
    await using redis = await Redis.start()
    await using servers = new Crew<ServerApi>(new URL('./worker.js', import.meta.url))
    await using load = new Remote<LoadApi>(new URL('./load/worker.js', import.meta.url), 'load')
    const addresses = { memcached: memcached.address, redisPort: redis.port }
    for (const name of names) {
      scale.screen.step(`opening: ${name}`)
      const port = await servers.add(name).call('open', { name, addresses })
      for (const visitors of crowds) {
        const group = groupOf(name, visitors)
        await load.call('arrive', { group, port, connections, visitors })
        await warmUp(load, group, scale)
      }
    }
    const { results, grids } = await measureAll(servers, load, scale)
    return {
      text,
      grids,
      charts: crowds.map((visitors) => ({
        name: visitors === 1 ? 'servers-one-visitor' : 'servers-many-visitors',
        title: `Requests per second, ${crowdOf(visitors)}`,
        unit: 'requests per second; more is better',
        kind: 'bars' as const,
        categories: names,
        series: routes.map((route) => ({
          name: `${route} route`,
          values: names.map((name) => rates(samplesOf(name, route, visitors, results)).median),
        })),
      })),
    }
  },
}

const text = `The same small application on Express 5, once without sessions and then with each session library.
Each server is a process of its own with \`NODE_ENV=production\`.
The reading route answers with an object of six properties from the session.
The writing route adds one to a count (\`req.session.visits++\`, or \`increment\`).
Requests come over ${connections} keep-alive connections, the next when the last one is answered.
They come from a process of its own that only looks for the end of each answer.
express-session has \`resave: false, saveUninitialized: false\`.

"Kept" compares the increments that are stored with those that were answered with 200.
With one visitor all connections share a session; with ${connections} visitors each has its own.
CPU is that of the server process.`

interface ServerResult extends ServedCount {
  readonly serverCpuSeconds: number
  /** How many increments were stored meanwhile. */
  readonly stored: number
}

type ServerResults = ReadonlyMap<string, ReadonlyMap<string, readonly ServerResult[]>>

/** Figures are shown as they come. */
async function measureAll(
  servers: Crew<ServerApi>,
  load: Remote<LoadApi>,
  scale: Scale,
): Promise<{ results: ServerResults; grids: Grid[] }> {
  const milliseconds = scale.isQuick ? 250 : 1_000
  const results = new Map<string, ReadonlyMap<string, readonly ServerResult[]>>()
  const grids: Grid[] = []
  for (const visitors of crowds) {
    for (const route of routes) {
      const candidates = names.map((name) => ({
        name,
        measure: () => measureOne(servers.get(name), load, groupOf(name, visitors), route, milliseconds),
      }))
      results.set(caseOf(route, visitors), await alternate(candidates, scale))
      grids.push(scale.screen.show(grid(route, visitors, results)))
    }
  }
  return { results, grids }
}

/** Express and Node's HTTP server are much code, which is compiled by what it meets. */
async function warmUp(load: Remote<LoadApi>, group: string, scale: Scale): Promise<void> {
  for (const route of routes) await load.call('measure', { group, route, milliseconds: scale.isQuick ? 150 : 2_000 })
}

async function measureOne(
  server: Remote<ServerApi>,
  load: Remote<LoadApi>,
  group: string,
  route: Route,
  milliseconds: number,
): Promise<ServerResult> {
  const before = await load.call('visits', { group })
  const cpuBefore = await server.call('cpu', null)
  const served = await load.call('measure', { group, route, milliseconds })
  const serverCpuSeconds = (await server.call('cpu', null)) - cpuBefore
  const stored = (await load.call('visits', { group })) - before
  return { ...served, serverCpuSeconds, stored }
}

function grid(route: Route, visitors: number, results: ServerResults): Grid {
  const kept = route === 'writing' ? ['kept'] : []
  return {
    caption: `${route} route, ${crowdOf(visitors)}`,
    columns: ['', 'requests/s', 'against bare', 'µs of CPU each', 'bare CPU against it', 'p50 ms', 'p99 ms', 'refused', ...kept],
    rows: names.map((name) => rowOf(name, route, visitors, results)),
  }
}

function rowOf(name: KeepingName, route: Route, visitors: number, results: ServerResults): string[] {
  const samples = samplesOf(name, route, visitors, results)
  const bases = samplesOf(base, route, visitors, results)
  const all = (value: (one: ServerResult) => number) => samples.reduce((sum, one) => sum + value(one), 0)
  return [
    name,
    withSpread(rates(samples)),
    ratio(rates(samples).ratioTo(rates(bases))),
    withSpread(cpu(samples)),
    ratio(cpu(bases).ratioTo(cpu(samples))),
    count(median(samples.map(({ p50 }) => p50))),
    count(median(samples.map(({ p99 }) => p99))),
    count(all(({ refused }) => refused)),
    ...(route === 'writing'
      ? [percent(all(({ stored }) => stored) / all(({ operations, refused }) => operations - refused))]
      : []),
  ]
}

function rates(samples: readonly ServerResult[]): Repeats {
  return new Repeats(samples.map(({ operations, seconds }) => operations / seconds))
}

function cpu(samples: readonly ServerResult[]): Repeats {
  return new Repeats(samples.map(({ serverCpuSeconds, operations }) => (serverCpuSeconds * 1e6) / operations))
}

function samplesOf(name: KeepingName, route: Route, visitors: number, results: ServerResults): readonly ServerResult[] {
  return results.get(caseOf(route, visitors))?.get(name) ?? []
}

function caseOf(route: Route, visitors: number): string {
  return `${route} ${visitors}`
}

function groupOf(name: KeepingName, visitors: number): string {
  return `${name}, ${crowdOf(visitors)}`
}

function crowdOf(visitors: number): string {
  return visitors === 1 ? `one visitor on ${connections} connections` : `${visitors} visitors on a connection each`
}
