import type { Duration } from '../api/duration.js'
import { BadArgumentError } from '../api/errors.js'
import type { OperationName } from '../api/events.js'
import type { OperationOptions } from '../api/session.js'
import { length } from '../engine/common-options.js'
import { writeDeadline } from '../engine/context.js'
import { Operation } from '../engine/operation.js'
import type { CompiledField } from '../schema/schema.js'
import type { Address } from './addresses.js'
import { fieldOf } from './addresses.js'
import type { SharedEngine } from './engine.js'
import type { EditRequest, WriteOutcome } from './item-swap.js'

/** What the implementations of all kinds have in common: how a public method becomes a call about one item. */
export abstract class SharedKind {
  readonly engine: SharedEngine
  readonly name: string
  readonly #field: string

  constructor(engine: SharedEngine, name: string) {
    this.engine = engine
    this.name = name
    this.#field = fieldOf(name)
  }

  /** Begins a call of the method `name`. `work` gets the item's address. */
  protected call<T>(
    name: OperationName & keyof this & string,
    id: string,
    options: OperationOptions | undefined,
    work: (address: Address, operation: Operation<T>) => T | Promise<T>,
    takes?: readonly string[],
  ): Promise<T> {
    const subject: { sid: string | undefined } = { sid: undefined }
    const called = { name, entry: this[name] as () => void, ...(takes && { takes }) }
    const operation = new Operation<T>(this.engine, called, [this.#field], subject)
    return operation.runAsync(options, () => {
      const address = this.engine.addresses.of(this.name, id)
      subject.sid = address.sid
      return work(address, operation)
    })
  }

  /** Makes a change for a call, by its deadline and while somebody waits for it. */
  protected change(
    address: Address,
    operation: { readonly started: number; readonly isOver: boolean },
    edit: Pick<EditRequest, 'change' | 'isBlind'>,
  ): Promise<WriteOutcome> {
    const deadline = writeDeadline(this.engine, operation.started)
    return this.engine.writer.change(address, { ...edit, deadline, isOver: () => operation.isOver })
  }
}

/** How long what one call stores lives, in milliseconds: as the call says, else as the kind does. @throws {BadArgumentError} */
export function lifeOf(option: string, duration: Duration | undefined, kinds: number | undefined): number | undefined {
  return duration === undefined ? kinds : length(option, duration, BadArgumentError)
}

/** From when on something that lives so long is over, on the server's clock; undefined lives for ever. */
export function deadlineAfter(at: number, life: number | undefined): number {
  return life === undefined ? 0 : Math.ceil(at + life)
}

/** What a change that takes something away leaves, and the value that it took. */
export class Taking {
  #json: string | undefined

  readonly change = (before: { readonly json: string } | undefined): undefined => {
    this.#json = before?.json
    return undefined
  }

  valueBy(field: CompiledField): unknown {
    return this.#json === undefined ? undefined : field.decode(this.#json)
  }
}
