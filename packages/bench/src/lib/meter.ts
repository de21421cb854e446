/** What one candidate did in one repeat. */
export interface Sample {
  readonly operations: number
  readonly seconds: number
  /** Processor time of the process that ran the candidate, for all operations together. */
  readonly cpuSeconds: number
}

/**
 * Keeps `inFlight` operations under way for `milliseconds`. Each gets the number of its slot and how many that slot has begun before.
 */
export async function measure(
  inFlight: number,
  milliseconds: number,
  operation: (slot: number, turn: number) => Promise<unknown>,
): Promise<Sample> {
  let operations = 0
  const stop = stopwatch()
  const end = performance.now() + milliseconds
  const run = async (slot: number) => {
    for (let turn = 0; performance.now() < end; turn++) {
      await operation(slot, turn)
      operations++
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, slot) => run(slot)))
  return { operations, ...stop() }
}

/** Begins to count; the function that it returns tells how much time has passed since. */
export function stopwatch(): () => { seconds: number; cpuSeconds: number } {
  const begun = performance.now()
  const cpu = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(cpu)
    return { seconds: (performance.now() - begun) / 1_000, cpuSeconds: (user + system) / 1_000_000 }
  }
}
