import { Crew } from '../lib/crew.js'
import { count, ratio, withSpread } from '../lib/figures.js'
import type { Grid } from '../lib/grid.js'
import { Memcached } from '../lib/memcached.js'
import type { Sample } from '../lib/meter.js'
import { alternate } from '../lib/rounds.js'
import { Repeats } from '../lib/statistics.js'
import type { Scale, Section, Table } from '../lib/table.js'
import type { GrowthApi } from './worker.js'

/** One dimension of growth. */
interface Growth {
  readonly name: string
  readonly caption: string
  /** What the others are compared with. */
  readonly base: number
  readonly steps: readonly number[]
  /** How many servers, sessions and fields there are at a step. */
  extent(step: number): { readonly servers: number; readonly sessions: number; readonly fields: number }
}

export const growthTable: Table = {
  name: 'growth',
  title: 'Growth: what a get costs where there is more of everything',
  async run(scale: Scale): Promise<Section> {
    const growths = growthsAt(scale)
    const results = new Map<Growth, GrowthResults>()
    const grids: Grid[] = []
    for (const growth of growths) {
      const measured = await measureGrowth(growth, scale)
      results.set(growth, measured)
      grids.push(scale.screen.show(grid(growth, measured)))
    }
    return {
      text,
      grids,
      charts: [...results].map(([growth, measured]) => chart(growth, measured)),
    }
  },
}

const text = `\`sessions.resume(token).get(field)\` on sessions chosen at random among all,
64 in flight, meta protocol, texts of 40 bytes.
Each call is the first of a request and checks its secret.
Each step has a memcached (or as many as the step says) and a process of its own, and all are measured by turns.
A process remembers the headers of some thousand sessions; beyond that it parses each header again.`

type GrowthResults = ReadonlyMap<string, readonly Sample[]>

function growthsAt(scale: Scale): readonly Growth[] {
  const sessions = scale.isQuick ? [1_000, 10_000, 50_000] : [1_000, 10_000, 100_000, 1_000_000]
  return [
    {
      name: 'sessions',
      caption: 'sessions in the store',
      base: 1_000,
      steps: sessions,
      extent: (step) => ({ servers: 1, sessions: step, fields: 1 }),
    },
    {
      name: 'servers',
      caption: 'servers',
      base: 1,
      steps: [1, 2, 3, 4],
      extent: (step) => ({ servers: step, sessions: 1_000, fields: 1 }),
    },
    {
      name: 'fields',
      caption: 'stored fields in each session',
      base: 5,
      steps: [1, 5, 20, 50, 200],
      extent: (step) => ({ servers: 1, sessions: 250, fields: step }),
    },
  ]
}

async function measureGrowth(growth: Growth, scale: Scale): Promise<GrowthResults> {
  await using fleet = new GrowthFleet()
  await using crew = new Crew<GrowthApi>(new URL('./worker.js', import.meta.url))
  for (const step of growth.steps) {
    const extent = growth.extent(step)
    scale.screen.step(`filling: ${step} ${growth.caption}`)
    await crew.add(String(step)).call('fill', { ...extent, servers: await fleet.start(extent.servers) })
    await crew.get(String(step)).call('measure', { milliseconds: scale.isQuick ? 300 : 1_500 })
  }
  const milliseconds = scale.isQuick ? 150 : 500
  const candidates = growth.steps.map((step) => ({
    name: String(step),
    measure: () => crew.get(String(step)).call('measure', { milliseconds }),
  }))
  return await alternate(candidates, scale)
}

/** All the servers of one growth. */
class GrowthFleet implements AsyncDisposable {
  readonly #servers: Memcached[] = []

  async start(size: number): Promise<string[]> {
    const started: Memcached[] = []
    for (let index = 0; index < size; index++) started.push(await Memcached.start(2_048))
    this.#servers.push(...started)
    return started.map(({ address }) => address)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server[Symbol.asyncDispose]()))
  }
}

function grid({ caption, base, steps }: Growth, results: GrowthResults): Grid {
  const samplesAt = (step: number) => results.get(String(step)) ?? []
  return {
    caption,
    columns: [caption, 'gets/s', 'µs each', `against ${count(base)}`, 'µs of CPU each', `CPU against ${count(base)}`],
    rows: steps.map((step) => {
      const [time, cpu] = [microseconds(samplesAt(step)), cpuMicroseconds(samplesAt(step))]
      const rate = new Repeats(time.values.map((value) => 1e6 / value))
      return [
        step.toLocaleString('en'),
        withSpread(rate),
        withSpread(time),
        ratio(time.ratioTo(microseconds(samplesAt(base)))),
        withSpread(cpu),
        ratio(cpu.ratioTo(cpuMicroseconds(samplesAt(base)))),
      ]
    }),
  }
}

function chart({ name, caption, steps }: Growth, results: GrowthResults) {
  const values = (figure: (samples: readonly Sample[]) => Repeats) =>
    steps.map((step) => figure(results.get(String(step)) ?? []).median)
  return {
    name: `growth-${name}`,
    title: `What a get costs, by ${caption}`,
    unit: 'microseconds each, 64 in flight; less is better',
    kind: 'lines' as const,
    categories: steps.map((step) => step.toLocaleString('en')),
    series: [
      { name: 'time', values: values(microseconds) },
      { name: 'processor time', values: values(cpuMicroseconds) },
    ],
  }
}

function microseconds(samples: readonly Sample[]): Repeats {
  return new Repeats(samples.map(({ seconds, operations }) => (seconds * 1e6) / operations))
}

function cpuMicroseconds(samples: readonly Sample[]): Repeats {
  return new Repeats(samples.map(({ cpuSeconds, operations }) => (cpuSeconds * 1e6) / operations))
}
