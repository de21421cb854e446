/** How long a call took, and how much of that this process was too busy to notice its end. In milliseconds. */
export interface Timed {
  readonly outcome: PromiseSettledResult<unknown>
  readonly took: number
}

/**
 * What a call may take beyond its deadline on a busy machine, in milliseconds. Half of the shortest timeout of those who use it: a call that
 * waits once too often takes twice as much.
 */
export const slack = 250

/** Times a call. The lag of the event loop, as measured meanwhile, is taken off. */
export async function timed(call: () => Promise<unknown>): Promise<Timed> {
  const began = performance.now()
  let last = began
  let lag = 0
  const look = () => {
    const now = performance.now()
    lag += Math.max(0, now - last - interval)
    last = now
  }
  const watch = setInterval(look, interval)
  const [outcome] = await Promise.allSettled([call()])
  look()
  clearInterval(watch)
  return { outcome: outcome as PromiseSettledResult<unknown>, took: performance.now() - began - lag }
}

const interval = 5
