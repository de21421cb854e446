import { abortable } from './abort.js'
import type { Engine } from './engine.js'
import { ClosedError } from './errors.js'
import type { OperationName } from './events.js'
import type { OperationOptions } from './session.js'

/** What one call of the public surface is, for those who watch. */
export interface Operation {
  readonly name: OperationName
  readonly fields: readonly string[]
  /** Whose session it is, as far as that is known when it ends. */
  readonly subject: { readonly sid: string | undefined }
}

/** Runs one call: counted, so that `close` waits for it, measured, and given up when its signal says so. `work` gets the time of its begin. */
export async function perform<T>(
  engine: Engine,
  operation: Operation,
  options: OperationOptions | undefined,
  work: (started: number) => T | Promise<T>,
): Promise<T> {
  const { activity, core } = engine
  if (activity.isClosed) throw new ClosedError('The store of these sessions')
  const signal = options?.signal
  signal?.throwIfAborted()
  const started = core.runtime.monotonic()
  activity.enter()
  let failure: unknown
  try {
    return await (signal ? abortable(work(started), signal) : work(started))
  } catch (error) {
    failure = error
    throw error
  } finally {
    activity.leave()
    core.telemetry.ended(operation.name, operation.subject.sid, operation.fields, started, core.runtime.monotonic(), failure)
  }
}
