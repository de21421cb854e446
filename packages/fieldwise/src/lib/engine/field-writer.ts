import type { Context } from './context.js'
import type { Edit } from './edit.js'
import { FieldWrite } from './field-write.js'
import type { Headers } from './headers.js'
import type { KnownSessions } from './known-sessions.js'
import type { Reader } from './reader.js'
import { waitedTooLong } from './waited-too-long.js'
import { type WriteQueue, WriteQueues } from './write-queue.js'

/** A field's queue, and how its write that is under way, or the one before, has fared. */
type FieldQueue = WriteQueue<Edit, Burst>

/** Writes of one field that follow one another without a gap. */
interface Burst {
  readonly write: FieldWrite
  /** How many more writes read first, since another process writes too. */
  readonly caution: number
  /** When others are let in, on the monotonic clock. */
  readonly until: number
}

/**
 * Writes fields. A process has at most one write of a field under way; the edits that wait meanwhile are combined: they run in order
 * over one read and go out as one compare-and-swap.
 */
export class FieldWriter {
  readonly #context: Context
  readonly #reader: Reader
  readonly #headers: Headers
  readonly #known: KnownSessions
  readonly #queues: WriteQueues<Edit, Burst>

  constructor(context: Context, reader: Reader, headers: Headers, known: KnownSessions) {
    this.#context = context
    this.#reader = reader
    this.#headers = headers
    this.#known = known
    this.#queues = new WriteQueues(context.environment, (queue) => this.#write(queue), waitedTooLong)
  }

  /** Takes an edit of a session whose token was verified. How it ends is told to the edit. */
  submit(sid: string, edit: Edit): void {
    const key = edit.lastWrite?.key ?? this.#known.fieldRequest(sid, edit.change.field).key
    this.#queues.submit(sid, key, edit)
  }

  #write(queue: FieldQueue): Promise<void> {
    return queue.previous === undefined ? this.#begin(queue) : this.#goOn(queue, queue.previous)
  }

  /** The first write of a burst: its edits may bring snapshots of their own. */
  #begin(queue: FieldQueue): Promise<void> {
    const write = this.#take(queue)
    queue.previous = { write, caution: 0, until: this.#context.environment.monotonic() + longestBurst }
    return write.begin()
  }

  /** A write behind another one. */
  async #goOn(queue: FieldQueue, previous: Burst): Promise<void> {
    const { environment } = this.#context
    let { until } = previous
    if (environment.monotonic() >= until) {
      await environment.sleep(yieldPause)
      until = environment.monotonic() + longestBurst
    }
    const write = this.#take(queue)
    const caution = previous.write.wasBeaten ? mostCaution : Math.max(0, previous.caution - 1)
    queue.previous = { write, caution, until }
    await write.goOn(caution === 0 ? previous.write.lastWrite : undefined)
  }

  #take(queue: FieldQueue): FieldWrite {
    return new FieldWrite(this.#context, this.#reader, this.#headers, queue.sid, queue.key, this.#queues.take(queue))
  }
}

/**
 * After a write that was beaten, as many read first: where others write too, what this process has left there is mostly gone, and trying
 * costs a round trip.
 */
const mostCaution = 8

/**
 * A process whose changes follow one another without a gap is always first: others read, and what they read is old when they store. So after
 * a burst of them it lets a pause pass, for those of other processes. In milliseconds.
 */
const longestBurst = 10
const yieldPause = 2
