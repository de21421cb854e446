import type { Addresses } from '../lib/addresses.js'
import { stopwatch } from '../lib/meter.js'
import { serve } from '../lib/remote.js'
import type { HotSample, Updater } from './updater.js'
import { openUpdater, type UpdaterName } from './updaters.js'

let updater: Updater | undefined

const api = {
  /** The first process of a candidate stores the field; its answer is what the others need to find it. */
  async open({ name, addresses, found }: { name: UpdaterName; addresses: Addresses; found?: string }): Promise<string> {
    const opened = await openUpdater(name, addresses, found)
    updater = opened.updater
    return opened.found
  },
  visits: async (_: null): Promise<number> => expectOpen().visits(),
  measure: async ({ updaters, milliseconds }: { updaters: number; milliseconds: number }): Promise<HotSample> =>
    measure(expectOpen(), updaters, milliseconds),
}

export type HotApi = typeof api

serve(api)

function expectOpen(): Updater {
  if (updater === undefined) throw new Error('open an updater first')
  return updater
}

async function measure(updater: Updater, updaters: number, milliseconds: number): Promise<HotSample> {
  const latencies: number[] = []
  const counted = { conflicts: 0, refused: 0 }
  const stop = stopwatch()
  const end = performance.now() + milliseconds
  const run = async (slot: number) => {
    while (performance.now() < end) {
      const begun = performance.now()
      try {
        const conflicts = await updater.update(slot)
        latencies.push(performance.now() - begun)
        counted.conflicts += conflicts
      } catch {
        counted.refused++
      }
    }
  }
  await Promise.all(Array.from({ length: updaters }, (_, slot) => run(slot)))
  return { acknowledged: latencies.length, ...counted, ...stop(), latencies: Float64Array.from(latencies) }
}
