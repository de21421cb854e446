import type { Context } from './context.js'
import type { Edit } from './edit.js'
import { FieldWrite } from './field-write.js'
import type { Headers } from './headers.js'
import type { KnownSessions } from './known-sessions.js'
import type { Reader } from './reader.js'
import { waitedInQueue } from './waited-too-long.js'
import { type WriteQueue, WriteQueues } from './write-queue.js'

/** The queue of a field. `previous` is the burst of its latest write. */
type FieldQueue = WriteQueue<Edit, Burst>

/** Writes of one field that follow one another without a gap. */
interface Burst {
  readonly write: FieldWrite
  /** How many of the next writes read first, since another process writes the field too. */
  readonly caution: number
  /** When to pause for other processes, on the monotonic clock. */
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
    this.#queues = new WriteQueues(context.environment, (queue) => this.#write(queue), waitedInQueue)
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
 * After a write that lost to another process, this many writes of the field read first. Where others write too, the last value of this process
 * has mostly been replaced, and a try over it would waste a round trip.
 */
const mostCaution = 8

/**
 * A process that writes a field without a pause always wins: by the time another process stores what it read, the value has changed again.
 * So after `longestBurst` milliseconds of writing it pauses for `yieldPause` milliseconds, in which others get their turn.
 */
const longestBurst = 10
const yieldPause = 2
