import { BadConfigError } from '../api/errors.js'
import { headerName } from './header.js'
import type { ListName } from './user-list.js'

/** The keys of a session's items: `prefix` + sid + `:` + the field's name, or `@` for the header; and those of lists: `prefix` + `u:` + name. */
export class Keys {
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  field(sid: string, name: string): string {
    return `${this.#prefix}${sid}:${name}`
  }

  header(sid: string): string {
    return `${this.#prefix}${sid}:${headerName}`
  }

  /** One on each server. */
  userList(name: ListName): string {
    return `${this.#prefix}u:${name}`
  }
}

// A key has at most 250 bytes: 69 for the longest sid, 65 for a colon and the longest name.
const longestPrefix = 100

/** @throws {BadConfigError} for a prefix that memcached could not carry in a key. */
export function assertPrefix(prefix: unknown): asserts prefix is string {
  if (typeof prefix !== 'string') throw new BadConfigError("prefix is a string such as 'shop:'")
  if (prefix.length > longestPrefix) {
    throw new BadConfigError(`prefix has ${prefix.length} characters; a memcached key leaves room for ${longestPrefix}`)
  }
  if (!/^[\x21-\x7e]*$/.test(prefix)) {
    throw new BadConfigError("prefix may hold visible ASCII characters only, no spaces or line ends: write one such as 'shop:'")
  }
}
