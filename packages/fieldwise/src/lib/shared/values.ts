import { BadArgumentError } from '../api/errors.js'
import type { OperationOptions } from '../api/session.js'
import type { KeepOptions, Value } from '../api/shared.js'
import { readDeadline } from '../engine/context.js'
import type { Operation } from '../engine/operation.js'
import { changed, readAs } from '../schema/field-values.js'
import type { CompiledField } from '../schema/schema.js'
import type { Address } from './addresses.js'
import { compileValue } from './compile-value.js'
import type { SharedEngine } from './engine.js'
import { type Contents, contentsIn, type ItemChange, type Written } from './item-swap.js'
import type { ValueKind } from './kinds.js'
import { deadlineAfter, lifeOf, SharedKind, Taking } from './shared-kind.js'

/** The implementation of `Value`. */
export class Values extends SharedKind implements Value<unknown, unknown> {
  readonly #field: CompiledField
  readonly #expires: number | undefined

  constructor(engine: SharedEngine, name: string, { schema, expires }: ValueKind<unknown, unknown>) {
    super(engine, name)
    this.#field = compileValue(name, schema)
    this.#expires = expires
  }

  get(id: string, options?: OperationOptions): Promise<unknown> {
    return this.call<unknown>('get', id, options, async (address, { started }) => {
      const seen = await this.engine.reader.read(address, readDeadline(this.engine, started))
      if (seen.broken) throw seen.broken
      return readAs(this.#field, contentsIn(seen, this.engine.environment)?.json)
    })
  }

  set(id: string, value: unknown, options?: KeepOptions): Promise<void> {
    const set = async (address: Address, operation: Operation<void>) => {
      const json = this.#field.encode(value)
      const life = lifeOf('set: expires', options?.expires, this.#expires)
      const change: ItemChange = (before, at) => replaced(before, json, deadlineAfter(at, life))
      await this.change(address, operation, { change, isBlind: true })
    }
    return this.call<void>('set', id, options, set, ['expires', 'signal'])
  }

  update(id: string, change: (value: never) => unknown, options?: OperationOptions): Promise<never> {
    return this.call<unknown>('update', id, options, async (address, operation) => {
      if (typeof change !== 'function') throw new BadArgumentError(`update of '${this.name}' needs a function`)
      let after: string | undefined
      await this.change(address, operation, {
        change: (before, at) => {
          after = changed(this.#field, before?.json, change as (value: unknown) => unknown)
          return replaced(before, after, this.#deadlineOf(before, at))
        },
      })
      return readAs(this.#field, after)
    }) as Promise<never>
  }

  take(id: string, options?: OperationOptions): Promise<unknown> {
    return this.call<unknown>('take', id, options, async (address, operation) => {
      const taking = new Taking()
      await this.change(address, operation, taking)
      return taking.valueBy(this.#field)
    })
  }

  delete(id: string, options?: OperationOptions): Promise<void> {
    return this.call<void>('delete', id, options, async (address, operation) => {
      await this.change(address, operation, { change: () => undefined, isBlind: true })
    })
  }

  /** A kind's life runs from the last write; what `set` gave one value stays. */
  #deadlineOf(before: Written | undefined, at: number): number {
    return this.#expires === undefined ? (before?.deadline ?? 0) : deadlineAfter(at, this.#expires)
  }
}

function replaced(before: Written | undefined, json: string | undefined, deadline: number): Contents | undefined {
  if (json === undefined) return undefined
  return json === before?.json && deadline === before.deadline ? before : { json, deadline }
}
