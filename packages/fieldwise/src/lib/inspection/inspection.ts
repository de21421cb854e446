import { BadArgumentError, isFieldwiseError } from '../api/errors.js'
import { assertOptions } from '../api/options.js'
import type { AnswerTo, Flight, GetRequest, Store } from '../api/store.js'
import { systemEnvironment } from '../environment/environment.js'
import { type Classification, classify } from '../format/classification.js'
import { decodeHeader, type Header, headerName, isPast } from '../format/header.js'
import { decodeItem, hasOtherBirth, type Item, living } from '../format/item.js'
import { assertPrefix, Keys } from '../format/keys.js'
import { createSealer, noSealing, type Sealer, type SealingOptions } from '../format/sealing.js'
import { isSid, parseToken } from '../format/token.js'
import { type Birth, writeIdText } from '../format/write-ids.js'
import { isFieldName } from '../schema/schema.js'

/** The options of {@link inspectSession}: how the application stores its sessions. */
export interface InspectionOptions {
  /** The `prefix` of the application's `createSessions`. */
  readonly prefix?: string | undefined
  /** Its `sealing`; items that are not sealed are shown too. Without it, sealed items are listed as `'unreadable'`. */
  readonly sealing?: Pick<SealingOptions, 'keys'> | undefined
  /** Also gives the values, as JSON. Default `false`. */
  readonly values?: boolean | undefined
}

/** What is stored of one session, as it was read. Times are the store's, in milliseconds since 1970. */
export interface SessionInspection {
  readonly sid: string
  /** When it was read. */
  readonly at: number
  /**
   * `living`; `expired`: its absolute end has passed; `missing`: there is no header, and so no session; `unreadable`: the header says
   * nothing, see its `problem`.
   */
  readonly state: 'living' | 'expired' | 'missing' | 'unreadable'
  /** What the secret of the token is to this session; undefined where a sid was given, or no header could be read. */
  readonly secret: Classification | undefined
  readonly header: HeaderInspection | undefined
  /** Every field that the header lists, in that order. */
  readonly fields: readonly FieldInspection[]
}

/** One stored item. */
export interface ItemInspection {
  /** The whole key. */
  readonly key: string
  /** Its size as stored, without the key. 0 where nothing is there. */
  readonly bytes: number
  readonly sealed: boolean
  /** How much longer the store will keep it, in milliseconds; undefined where the store does not tell. */
  readonly ttl: number | undefined
  /** The version of the format, where it could be read. */
  readonly format: number | undefined
  /** Why it could not be read. */
  readonly problem: string | undefined
}

export interface HeaderInspection extends ItemInspection {
  /** What it says; undefined where it could not be read. */
  readonly says: HeaderContents | undefined
}

/** What a header says of its session. */
export interface HeaderContents {
  /** Whether the visitor asked to stay logged in. */
  readonly persist: boolean
  readonly createdAt: number
  /** The absolute end. */
  readonly endsAt: number
  /** How long the session lives without being used, in milliseconds. */
  readonly idle: number
  /** Until when every listed field lives at least. */
  readonly fieldsUntil: number
  /** When the secret was last changed. */
  readonly rotatedAt: number | undefined
  /** Until when the secret before works on. */
  readonly graceUntil: number | undefined
}

export interface FieldInspection extends ItemInspection {
  readonly name: string
  /**
   * `set`; `deleted`; `expired`: its own lifetime is over; `missing`: it is listed and gone, which ends the session unless the field is
   * declared `'absent'`; `replaced`: another item stands in its place, which counts as missing; `unreadable`: see its `problem`.
   */
  readonly state: 'set' | 'deleted' | 'expired' | 'missing' | 'replaced' | 'unreadable'
  /** The length of its JSON in bytes. */
  readonly valueBytes: number | undefined
  /** From when on it is unset, where it has a lifetime of its own (`expires`). */
  readonly expiresAt: number | undefined
  /** The id of the write that made this value, in hexadecimal: its first half stands for a process, its second half counts. */
  readonly writeId: string | undefined
  /** The last writes of other processes, oldest first, and when a later write took their place. */
  readonly earlierWrites: readonly { readonly id: string; readonly until: number }[]
  /** The value, where `values` asks for it and the field is set. */
  readonly json: string | undefined
}

/**
 * What is stored of a session, for tools that look into it. Only reads: nothing is written, touched or ended, whatever is found.
 * Never gives a secret or its hash, and values only with `values: true`.
 *
 * @param sidOrToken a session's id; or a token, to hear what its secret is to the session
 * @throws `BAD_ARGUMENT` for what is neither, and for unknown options; `BAD_CONFIG` for a `prefix` or `sealing` that cannot be;
 * `STORE_UNAVAILABLE`.
 *
 * @example
 * const { state, fields } = await inspectSession(store, token)
 * for (const { name, state, bytes } of fields) console.log(name, state, bytes)
 */
export async function inspectSession(
  store: Store,
  sidOrToken: string,
  options: InspectionOptions = {},
): Promise<SessionInspection> {
  assertOptions('inspectSession', options, ['prefix', 'sealing', 'values'], BadArgumentError)
  const token = parseToken(sidOrToken)
  const sid = token?.sid ?? sidOrToken
  if (!isSid(sid)) throw new BadArgumentError('inspectSession needs the id of a session, or a token')
  const inspector = new SessionInspector(store, sid, options)
  const { header, at, items } = await inspector.read()
  const secret = token && header?.value && classify(header.value, token.secret, at, at)
  return {
    sid,
    at,
    state: stateOf(header, at),
    secret,
    header: header && headerInspection(header),
    fields: Array.from(header?.value?.manifest ?? [], ([name, birth]) => inspector.field(name, birth, items, at)),
  }
}

/** Reads the items of one session as they are stored. */
class SessionInspector {
  readonly #store: Store
  readonly #sid: string
  readonly #keys: Keys
  readonly #sealer: Sealer
  readonly #showsValues: boolean

  constructor(store: Store, sid: string, { prefix = '', sealing, values = false }: InspectionOptions) {
    assertPrefix(prefix)
    this.#store = store
    this.#sid = sid
    this.#keys = new Keys(prefix)
    this.#sealer = sealing ? createSealer({ ...sealing, prefix, acceptUnsealed: true }, systemEnvironment) : noSealing
    this.#showsValues = values
  }

  /** An item that seems to be missing is read a second time, after the header was seen (R3). */
  async read(): Promise<Reading> {
    const first = await this.#flight([])
    const second = await this.#flight(namesIn(first))
    return this.#isWhole(second) ? second : this.#flight(namesIn(second))
  }

  field(name: string, birth: Birth, items: ReadonlyMap<string, Found>, at: number): FieldInspection {
    const found = items.get(name)
    if (found === undefined) return { ...absentItem(this.#keys.field(this.#sid, name)), ...nothingOf(name, 'missing') }
    if (found.value === undefined) return { ...itemInspection(found), ...nothingOf(name, 'unreadable') }
    if (found.value.birth !== birth) return { ...itemInspection(found), ...nothingOf(name, 'replaced') }
    return { ...itemInspection(found), ...this.#contents(name, found.value, at) }
  }

  #contents(name: string, item: Item, at: number) {
    const json = living(item, at)
    return {
      name,
      state: stateOfItem(item, json),
      valueBytes: json === undefined ? undefined : Buffer.byteLength(json),
      expiresAt: item.deadline || undefined,
      writeId: writeIdText(item.id),
      earlierWrites: item.earlier.map(({ id, until }) => ({ id: writeIdText(id), until: until * 1_000 })),
      json: this.#showsValues ? json : undefined,
    }
  }

  /** The header is read last, so that what was seen with it was read while the session lived (R1). */
  async #flight(names: readonly string[]): Promise<Reading> {
    const headerKey = this.#keys.header(this.#sid)
    const keys = [...names.map((name) => this.#keys.field(this.#sid, name)), headerKey]
    const requests = keys.map((key) => ({ op: 'get', key }) as const)
    const deadline = systemEnvironment.running() + this.#store.traits.timeout
    const flight = (await this.#store.flight(this.#sid, requests, deadline)) as Flight<typeof requests>
    const answers = new Map(flight.answers.map((answer, index) => [keys[index], answer]))
    const header = this.#found(headerKey, headerName, answers.get(headerKey), decodeHeader)
    const items = names.map((name) => {
      const key = this.#keys.field(this.#sid, name)
      return [name, this.#found(key, name, answers.get(key), (plain) => decodeItem(name, plain))] as const
    })
    return {
      header,
      at: flight.serverTime ?? Number.NaN,
      items: new Map(items.filter((entry): entry is [string, Found] => entry[1] !== undefined)),
    }
  }

  #found<T>(
    key: string,
    name: string,
    answer: AnswerTo<GetRequest> | undefined,
    decode: (plain: Buffer) => T,
  ): Found<T> | undefined {
    if (answer === undefined || answer.result === 'missing') return undefined
    if ('error' in answer) throw answer.error
    const { value: bytes, ttl } = answer
    try {
      const plain = this.#sealer.unseal(this.#sid, name, bytes)
      return { key, bytes, ttl, plain, value: decode(plain), problem: undefined }
    } catch (error) {
      if (!isFieldwiseError(error, 'SEAL_BROKEN')) throw error
      return { key, bytes, ttl, plain: undefined, value: undefined, problem: error.message }
    }
  }

  #isWhole({ header, items }: Reading): boolean {
    return Array.from(header?.value?.manifest ?? []).every(([name, birth]) => {
      const item = items.get(name)
      return item !== undefined && !(item.plain && hasOtherBirth(item.plain, birth))
    })
  }
}

interface Reading {
  readonly header: Found<Header> | undefined
  readonly at: number
  /** What is not there has no entry. */
  readonly items: ReadonlyMap<string, Found>
}

interface Found<T = Item> {
  readonly key: string
  readonly bytes: Buffer
  readonly ttl: number | undefined
  readonly plain: Buffer | undefined
  readonly value: T | undefined
  readonly problem: string | undefined
}

/** A header that somebody has changed may list what no field can be called, and no key can hold. */
function namesIn({ header }: Reading): string[] {
  return [...(header?.value?.manifest.keys() ?? [])].filter(isFieldName)
}

function stateOf(header: Found<Header> | undefined, at: number): SessionInspection['state'] {
  if (header === undefined) return 'missing'
  if (header.value === undefined) return 'unreadable'
  return isPast(header.value, at) ? 'expired' : 'living'
}

function stateOfItem(item: Item, json: string | undefined): FieldInspection['state'] {
  if (item.json === undefined) return 'deleted'
  return json === undefined ? 'expired' : 'set'
}

function headerInspection(found: Found<Header>): HeaderInspection {
  return { ...itemInspection(found), says: found.value && contentsOf(found.value) }
}

function contentsOf({ persist, created, deadline, idle, fieldsUntil, rotated, previous }: Header): HeaderContents {
  return {
    persist,
    createdAt: created,
    endsAt: deadline,
    idle,
    fieldsUntil,
    rotatedAt: rotated || undefined,
    graceUntil: previous?.until,
  }
}

function itemInspection({ key, bytes, ttl, plain, problem }: Found<unknown>): ItemInspection {
  const sealed = (bytes[0] ?? 0) >= 0x80
  const format = plain === undefined || problem !== undefined ? undefined : (plain[0] as number) >> 4
  return { key, bytes: bytes.length, sealed, ttl, format, problem }
}

function absentItem(key: string): ItemInspection {
  return { key, bytes: 0, sealed: false, ttl: undefined, format: undefined, problem: undefined }
}

function nothingOf(name: string, state: FieldInspection['state']) {
  return {
    name,
    state,
    valueBytes: undefined,
    expiresAt: undefined,
    writeId: undefined,
    earlierWrites: [],
    json: undefined,
  }
}
