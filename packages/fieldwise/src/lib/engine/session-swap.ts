import type { Context } from './context.js'
import { EndOfSession, type Snapshot } from './snapshot.js'
import { Swap } from './swap.js'
import type { Waiting } from './write-queue.js'

/** Changes of one item of a session, which may turn out to be over. */
export abstract class SessionSwap<T extends Waiting> extends Swap<T, Snapshot, Context> {
  /** Ends a session that has turned out to be over. Resolves with the error for the callers. */
  abstract endOver(end: EndOfSession): Promise<Error>

  /** Fails all that wait. A session that has turned out to be over is ended first. */
  override async failAll(error: unknown): Promise<void> {
    await super.failAll(error instanceof EndOfSession ? await this.endOver(error) : error)
  }
}
