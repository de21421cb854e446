import { createHook } from 'node:async_hooks'
import { Session } from 'node:inspector/promises'
import type { Sample } from '../lib/meter.js'

/** What operations take besides time. Unlike time it is nearly the same on a busy machine. */
export interface Footprint {
  readonly promises: number
  /** Allocated, whether or not it was collected meanwhile. */
  readonly bytes: number
  readonly operations: number
}

/** Counts what some operations take. They run twice: counting the one would disturb the other. */
export async function footprint(run: () => Promise<Sample>): Promise<Footprint> {
  const [promises, counted] = await countPromises(run)
  const [bytes, allocated] = await countBytes(run)
  return { promises: promises / counted.operations, bytes: bytes / allocated.operations, operations: allocated.operations }
}

async function countPromises(run: () => Promise<Sample>): Promise<[number, Sample]> {
  let promises = 0
  const hook = createHook({
    init(_id, type) {
      if (type === 'PROMISE') promises++
    },
  })
  hook.enable()
  const sample = await run()
  hook.disable()
  return [promises, sample]
}

async function countBytes(run: () => Promise<Sample>): Promise<[number, Sample]> {
  const inspector = new Session()
  inspector.connect()
  await inspector.post('HeapProfiler.startSampling', {
    samplingInterval: 4_096,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  })
  const sample = await run()
  const { profile } = await inspector.post('HeapProfiler.stopSampling')
  inspector.disconnect()
  return [bytesBelow(profile.head), sample]
}

interface Node {
  readonly selfSize: number
  readonly children: readonly Node[]
}

function bytesBelow({ selfSize, children }: Node): number {
  return children.reduce((sum, child) => sum + bytesBelow(child), selfSize)
}
