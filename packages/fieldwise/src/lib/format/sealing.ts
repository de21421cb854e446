import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { BadConfigError, SealBrokenError } from '../api/errors.js'
import type { Environment } from '../environment/environment.js'
import { sealingKeyBytes } from './sealing-key.js'
import { type ListName, listNameOf, plainListName } from './user-list.js'

/**
 * Encrypts what is stored, and refuses what was changed or moved. One for each `createSessions`.
 *
 * @internal
 */
export interface Sealer {
  /** The bytes to store for `plain` as `name` (a field's name, or `@` for the header) of session `sid`. */
  seal(sid: string, name: string, plain: Buffer): Buffer
  /** The plain bytes of what was stored. @throws {SealBrokenError} (`SEAL_BROKEN`) */
  unseal(sid: string, name: string, stored: Buffer): Buffer
  /** How many bytes sealing adds. */
  readonly overhead: number
  /**
   * The names that the list of a user's sessions may have: the first for what is stored now, and one for each key that was the first
   * before. With keys, whoever can read the store but has none cannot tell whose list it is, nor try ids.
   */
  listNames(user: string): readonly [ListName, ...ListName[]]
}

/** How what is stored is encrypted. */
export interface SealingOptions {
  /**
   * Secrets of at least 32 random bytes each, as base64url, base64 or hex. The first one seals, all of them unseal. To change keys, deploy
   * with the new key in second place, then with the new key first. What the old key sealed is sealed with the new one when it is written
   * next. Remove the old key when every session from before the change has ended: after `lifetime.absolute`.
   */
  readonly keys: readonly string[]
  /**
   * Also accepts values that are not sealed, so that sessions from before sealing was turned on can be read. Default `false`: while it is
   * `true`, whoever can write to the store can put plain values of their own there.
   */
  readonly acceptUnsealed?: boolean | undefined
}

/**
 * Seals with AES-256-GCM. What is stored can be unsealed only as the same item of the same session under the same prefix.
 *
 * | bytes | what |
 * |---|---|
 * | 1 | 0x81: sealed, version 1. What is plain begins with a byte below 0x80 |
 * | 4 | id of the key |
 * | 12 | nonce, random |
 * | n | the ciphertext, as long as the plain bytes |
 * | 16 | tag |
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) without keys, for a key that is short, guessable or given twice.
 *
 * @internal
 */
export function createSealer(
  options: SealingOptions & { readonly prefix: string },
  environment: Pick<Environment, 'bytes'>,
): Sealer {
  return new GcmSealer(masterKeys(options.keys, options.prefix), options.acceptUnsealed ?? false, environment)
}

/**
 * Without `sealing`, what is stored is plain.
 *
 * @internal
 */
export const noSealing: Sealer = {
  seal: (_sid, _name, plain) => plain,
  unseal(_sid, name, stored) {
    if (isPlain(stored)) return stored
    throw new SealBrokenError(itemName(name), 'it is sealed, but no sealing.keys are configured')
  },
  overhead: 0,
  listNames: (user) => [plainListName(user)],
}

const sealedVersion1 = 0x81
const idLength = 4
const nonceLength = 12
const tagLength = 16
/** Makes anything but a whole tag an error: shorter ones could be guessed (NIST SP 800-38D, appendix C). */
const wholeTag = { authTagLength: tagLength }
const headLength = 1 + idLength + nonceLength

class GcmSealer implements Sealer {
  readonly overhead = headLength + tagLength
  readonly #keys: readonly [MasterKey, ...MasterKey[]]
  readonly #first: MasterKey
  readonly #byId: ReadonlyMap<number, MasterKey>
  readonly #acceptUnsealed: boolean
  readonly #environment: Pick<Environment, 'bytes'>

  constructor(keys: readonly [MasterKey, ...MasterKey[]], acceptUnsealed: boolean, environment: Pick<Environment, 'bytes'>) {
    this.#keys = keys
    this.#first = keys[0]
    this.#byId = new Map(keys.map((key) => [key.id, key]))
    this.#acceptUnsealed = acceptUnsealed
    this.#environment = environment
  }

  seal(sid: string, name: string, plain: Buffer): Buffer {
    const { key, binding } = this.#first.forSession(sid)
    const sealed = Buffer.allocUnsafe(this.overhead + plain.length)
    sealed[0] = sealedVersion1
    sealed.writeUInt32BE(this.#first.id, 1)
    const nonce = this.#environment.bytes(nonceLength)
    nonce.copy(sealed, 1 + idLength)
    const cipher = createCipheriv('aes-256-gcm', key, nonce, wholeTag)
    cipher.setAAD(additionalData(binding, name))
    cipher.update(plain).copy(sealed, headLength)
    cipher.final()
    cipher.getAuthTag().copy(sealed, sealed.length - tagLength)
    return sealed
  }

  unseal(sid: string, name: string, stored: Buffer): Buffer {
    if (isPlain(stored)) return this.#unsealed(name, stored)
    if (stored[0] !== sealedVersion1) throw broken(name, 'it is sealed in a way that this version does not know')
    if (stored.length < this.overhead) throw broken(name, 'it is cut short')
    const master = this.#byId.get(stored.readUInt32BE(1))
    if (master === undefined) throw broken(name, 'it is sealed with a key that is not among sealing.keys')
    const plain = decrypted(master.forSession(sid), name, stored)
    if (plain === undefined) throw broken(name, 'it was changed, or moved here from another place')
    return plain
  }

  listNames(user: string): readonly [ListName, ...ListName[]] {
    const [first, ...others] = this.#keys
    const before = others.map((key) => key.listName(user))
    return [first.listName(user), ...before, ...(this.#acceptUnsealed ? [plainListName(user)] : [])]
  }

  #unsealed(name: string, stored: Buffer): Buffer {
    if (this.#acceptUnsealed) return stored
    throw broken(name, 'it is not sealed; sealing.acceptUnsealed accepts such values while sealing is being introduced')
  }
}

/** The bytes that only this very item authenticates, or nothing. */
function decrypted({ key, binding }: SessionKey, name: string, stored: Buffer): Buffer | undefined {
  const end = stored.length - tagLength
  const decipher = createDecipheriv('aes-256-gcm', key, stored.subarray(1 + idLength, headLength), wholeTag)
  decipher.setAAD(additionalData(binding, name))
  decipher.setAuthTag(stored.subarray(end))
  const plain = decipher.update(stored.subarray(headLength, end))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return plain
}

/** One of `sealing.keys`: it encrypts nothing itself, every session has a key of its own (HKDF-SHA256, RFC 5869). */
class MasterKey {
  /** Says which key sealed an item, and nothing about the key. */
  readonly id: number
  readonly #secret: KeyObject
  readonly #prefix: string
  #listNameKey: Buffer | undefined
  /** Deriving costs more than opening, and a request opens several items of one session. The oldest first. */
  readonly #recent = new Map<string, SessionKey>()

  constructor(bytes: Buffer, prefix: string) {
    this.#secret = createSecretKey(bytes)
    this.#prefix = prefix
    this.id = derived(this.#secret, ['fieldwise key id'], idLength).readUInt32BE()
  }

  forSession(sid: string): SessionKey {
    const recent = this.#recent.get(sid)
    if (recent !== undefined) return recent
    const key = this.#derive(sid)
    if (this.#recent.size === mostRecent) this.#recent.delete(this.#recent.keys().next().value as string)
    this.#recent.set(sid, key)
    return key
  }

  listName(user: string): ListName {
    this.#listNameKey ??= derived(this.#secret, ['fieldwise user list', this.#prefix], 32)
    return listNameOf(createHmac('sha256', this.#listNameKey).update(user).digest())
  }

  #derive(sid: string): SessionKey {
    const id = Buffer.alloc(idLength)
    id.writeUInt32BE(this.id)
    return {
      key: createSecretKey(derived(this.#secret, ['fieldwise session key', this.#prefix, sid], 32)),
      binding: lengthPrefixed([Buffer.of(sealedVersion1), id, Buffer.from(this.#prefix), Buffer.from(sid)]),
    }
  }
}

interface SessionKey {
  readonly key: KeyObject
  /** The part of the additional data that all items of the session share. */
  readonly binding: Buffer
}

const mostRecent = 1_000

function derived(secret: KeyObject, purpose: readonly string[], length: number): Buffer {
  const info = lengthPrefixed(purpose.map((part) => Buffer.from(part)))
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), info, length))
}

function additionalData(binding: Buffer, name: string): Buffer {
  const length = Buffer.byteLength(name)
  const data = Buffer.allocUnsafe(binding.length + 4 + length)
  binding.copy(data)
  data.writeUInt32BE(length, binding.length)
  data.write(name, binding.length + 4)
  return data
}

/** Each part after its length, so that no two lists of parts give the same bytes. */
function lengthPrefixed(parts: readonly Buffer[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(part.length)
      return [length, part]
    }),
  )
}

function masterKeys(keys: readonly string[], prefix: string): [MasterKey, ...MasterKey[]] {
  if (!Array.isArray(keys)) throw new BadConfigError('sealing.keys is an array of keys, the one that seals first')
  const [first, ...others] = keys.map((key, index) => new MasterKey(sealingKeyBytes(key, `sealing.keys[${index}]`), prefix))
  if (first === undefined) throw new BadConfigError('sealing.keys is empty; leave `sealing` out to store plain values')
  const ids = [first, ...others].map((key) => key.id)
  const twice = ids.findIndex((id, index) => ids.indexOf(id) !== index)
  if (twice === -1) return [first, ...others]
  throw new BadConfigError(`sealing.keys[${twice}] is the same key as sealing.keys[${ids.indexOf(ids[twice] as number)}]`)
}

/** Headers and values begin with their format version, which is below 0x80. */
function isPlain(stored: Buffer): boolean {
  return (stored[0] ?? 0) < 0x80
}

function broken(name: string, why: string): SealBrokenError {
  return new SealBrokenError(itemName(name), why)
}

function itemName(name: string): string {
  return name === '@' ? 'header' : name
}
