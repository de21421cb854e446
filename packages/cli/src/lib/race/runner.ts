import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Progress } from './course.js'
import type { RaceOrder } from './worker.js'

/** One worker of a race, seen from the race. */
export class Runner {
  /** Resolves when it could start. */
  readonly ready: Promise<unknown>
  /** Resolves when it has done its part. */
  readonly done: Promise<void>
  /** How far it is. */
  progress: Progress = { acknowledged: 0, failed: 0 }
  readonly #worker: Worker

  constructor(order: RaceOrder, signal: AbortSignal, onProgress: () => void) {
    signal.throwIfAborted()
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: order })
    this.done = this.#untilDone(signal)
    // A worker that ends before it could start also ends the wait for its start.
    this.ready = Promise.race([once(this.#worker, 'message'), this.done])
    this.#worker.on('message', (progress: Progress) => {
      this.progress = progress
      onProgress()
    })
  }

  start(): void {
    this.#worker.postMessage('start')
  }

  /** Resolves when it does nothing more. */
  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  #untilDone(signal: AbortSignal): Promise<void> {
    const stop = () => void this.stop()
    signal.addEventListener('abort', stop, { once: true })
    return new Promise((resolve, reject) => {
      this.#worker.once('error', reject)
      this.#worker.once('exit', (code) => {
        signal.removeEventListener('abort', stop)
        if (signal.aborted) reject(signal.reason)
        else if (code === 0) resolve()
        else reject(new Error(`A worker of the race ended with code ${code}`))
      })
    })
  }
}
