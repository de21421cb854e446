import type { OperationOptions } from '../api/session.js'
import type { KeepOptions, Ticket } from '../api/shared.js'
import type { Operation } from '../engine/operation.js'
import type { CompiledField } from '../schema/schema.js'
import type { Address } from './addresses.js'
import { compileValue } from './compile-value.js'
import type { SharedEngine } from './engine.js'
import type { TicketKind } from './kinds.js'
import { deadlineAfter, lifeOf, SharedKind, Taking } from './shared-kind.js'

/** The implementation of `Ticket`. */
export class Tickets extends SharedKind implements Ticket<unknown> {
  readonly #field: CompiledField
  readonly #expires: number

  constructor(engine: SharedEngine, name: string, { schema, expires }: TicketKind<unknown>) {
    super(engine, name)
    this.#field = compileValue(name, schema)
    this.#expires = expires
  }

  put(id: string, value: unknown, options?: KeepOptions): Promise<void> {
    const put = async (address: Address, operation: Operation<void>) => {
      const json = this.#field.encode(value)
      const life = lifeOf('put: expires', options?.expires, this.#expires)
      const change = (_before: unknown, at: number) => ({ json, deadline: deadlineAfter(at, life) })
      await this.change(address, operation, { change, isBlind: true })
    }
    return this.call<void>('put', id, options, put, ['expires', 'signal'])
  }

  /** Swaps the ticket for a tombstone that carries the id of this write, so that a lost answer can be looked up (S3). */
  take(id: string, options?: OperationOptions): Promise<unknown> {
    return this.call<unknown>('take', id, options, async (address, operation) => {
      const taking = new Taking()
      await this.change(address, operation, taking)
      return taking.valueBy(this.#field)
    })
  }
}
