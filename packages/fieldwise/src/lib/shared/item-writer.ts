import { OutcomeUnknownError } from '../api/errors.js'
import type { DeleteRequest } from '../api/store.js'
import { Backoff } from '../engine/backoff.js'
import { type Deadline, type ItemContext, send } from '../engine/context.js'
import { unavailable } from '../engine/reader.js'
import { waitedInQueue } from '../engine/waited-too-long.js'
import { type WriteQueue, WriteQueues } from '../engine/write-queue.js'
import type { Address } from './addresses.js'
import type { ItemReader } from './item-reader.js'
import { type EditRequest, ItemEdit, ItemSwap, type WriteOutcome } from './item-swap.js'

/** Changes shared items: one write of an item at a time in this process, and what waits goes into the next together (W8). */
export class ItemWriter {
  readonly #context: ItemContext
  readonly #reader: ItemReader
  readonly #queues: WriteQueues<AddressedEdit, ItemSwap>

  constructor(context: ItemContext, reader: ItemReader) {
    this.#context = context
    this.#reader = reader
    this.#queues = new WriteQueues(context.environment, (queue) => this.#write(queue), waitedInQueue)
  }

  change(address: Address, request: EditRequest): Promise<WriteOutcome> {
    return new Promise((resolve, reject) => {
      this.#queues.submit(address.sid, address.key, new AddressedEdit(address, request, resolve, reject))
    })
  }

  /** Deletes an item, whatever it is. May be sent again, since what it would take away then is loaded again (S5). */
  async delete({ sid, key, name }: Address, deadline: Deadline): Promise<void> {
    const request: DeleteRequest = { op: 'delete', key }
    const backoff = new Backoff(this.#context, deadline)
    let isUnanswered = false
    for (;;) {
      const [answer] = (await send(this.#context, sid, [request], deadline)).answers
      if (answer.result === 'done' || answer.result === 'missing') return
      if (answer.result === 'unanswered') isUnanswered = true
      if (!isUnanswered) throw unavailable(answer.error)
      if (!(await backoff.pause())) throw new OutcomeUnknownError(`the invalidation of '${name}'`, answer.error)
    }
  }

  #write(queue: WriteQueue<AddressedEdit, ItemSwap>): Promise<void> {
    const edits = this.#queues.take(queue)
    return new ItemSwap(this.#context, this.#reader, (edits[0] as AddressedEdit).address, edits).run()
  }
}

class AddressedEdit extends ItemEdit {
  readonly address: Address

  constructor(
    address: Address,
    request: EditRequest,
    resolve: (outcome: WriteOutcome) => void,
    reject: (error: unknown) => void,
  ) {
    super(request, resolve, reject)
    this.address = address
  }
}
