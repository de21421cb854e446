import { isFieldwiseError, type SealBrokenError } from '../api/errors.js'
import type { GetRequest, Version } from '../api/store.js'
import { type Deadline, type ItemContext, send } from '../engine/context.js'
import { unavailable } from '../engine/reader.js'
import type { SeenAt } from '../engine/snapshot.js'
import { decodeItem, type Item } from '../format/item.js'
import type { Address } from './addresses.js'

/** What was seen of one item. */
export interface SeenItem extends SeenAt {
  readonly item: Item | undefined
  /** What is there, but cannot be trusted. */
  readonly broken: SealBrokenError | undefined
  /** Set where there is an item, broken ones included. */
  readonly version: Version | undefined
}

/** Reads shared items. Reads of one item that begin in the same tick share a request. */
export class ItemReader {
  readonly #context: ItemContext
  readonly #waiting = new Map<string, { readonly deadline: Deadline; readonly seen: Promise<SeenItem> }>()

  constructor(context: ItemContext) {
    this.#context = context
  }

  /** @throws {StoreUnavailableError} when no answer came. */
  read(address: Address, deadline: Deadline): Promise<SeenItem> {
    const waiting = this.#waiting.get(address.key)
    if (waiting && Math.abs(waiting.deadline - deadline) <= sameDeadline) {
      this.#context.telemetry.hit()
      return waiting.seen
    }
    const seen = this.#send(address, deadline)
    this.#waiting.set(address.key, { deadline, seen })
    return seen
  }

  async #send(address: Address, deadline: Deadline): Promise<SeenItem> {
    await endOfTick
    this.#waiting.delete(address.key)
    const seen = await this.#get(address, deadline)
    // A read whose answer was cut off changes nothing, and may go out once more.
    return seen ?? this.#again(address, deadline)
  }

  async #again(address: Address, deadline: Deadline): Promise<SeenItem> {
    const seen = await this.#get(address, deadline)
    if (seen === undefined) throw unavailable(undefined)
    return seen
  }

  /** Undefined where the answer was cut off. */
  async #get(address: Address, deadline: Deadline): Promise<SeenItem | undefined> {
    const { environment } = this.#context
    const request: GetRequest = { op: 'get', key: address.key }
    const askedAt = environment.monotonic()
    const { answers, serverTime } = await send(this.#context, address.sid, [request], deadline)
    const [answer] = answers
    if (answer.result === 'unanswered') return undefined
    if (answer.result === 'unsent') throw unavailable(answer.error)
    // Whoever was answered knows the time.
    const at: SeenAt = { serverTime: serverTime as number, readAt: environment.monotonic(), askedAt }
    if (answer.result === 'missing') return { ...at, item: undefined, broken: undefined, version: undefined }
    return { ...at, ...this.#understand(address, answer.value), version: answer.version }
  }

  #understand({ name, place }: Address, bytes: Buffer): Pick<SeenItem, 'item' | 'broken'> {
    try {
      return { item: decodeItem(name, this.#context.sealer.unseal(place, name, bytes)), broken: undefined }
    } catch (error) {
      if (!isFieldwiseError(error, 'SEAL_BROKEN')) throw error
      return { item: undefined, broken: error }
    }
  }
}

const endOfTick = Promise.resolve()

/** Calls of one tick begin within this many milliseconds. */
const sameDeadline = 5
