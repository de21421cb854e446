import { setTimeout as wait } from 'node:timers/promises'

/** Server-sent events to everybody who watches. */
export class Streams {
  readonly #pause: number
  readonly #running = new Set<AbortController>()

  /** @param pause between two frames to one watcher, in milliseconds */
  constructor(pause: number) {
    this.#pause = pause
  }

  get isFull(): boolean {
    return this.#running.size >= mostWatchers
  }

  /**
   * What `next` gives, at once and then again after each pause, until the watcher goes away. It is asked for no more than the watcher takes: a slow
   * one gets fewer frames, and nothing piles up.
   */
  open(next: () => Promise<unknown>): ReadableStream<Uint8Array> {
    const ended = new AbortController()
    this.#running.add(ended)
    const encoder = new TextEncoder()
    let pause = 0
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (pause > 0) await wait(pause, undefined, { signal: ended.signal, ref: false }).catch(() => {})
          if (ended.signal.aborted) return controller.close()
          pause = this.#pause
          controller.enqueue(encoder.encode(`data: ${JSON.stringify(await next())}\n\n`))
        },
        cancel: () => {
          ended.abort()
          this.#running.delete(ended)
        },
      },
      { highWaterMark: 1 },
    )
  }

  close(): void {
    for (const ended of this.#running) ended.abort()
    this.#running.clear()
  }
}

/** A browser opens at most six connections to one host anyway. */
const mostWatchers = 12
