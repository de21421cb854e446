/**
 * The length in bytes of a key that memcached takes: 1 to 250 bytes without spaces and control characters (protocol.txt, "Keys").
 * 0 for any other. In the text protocols an over-long key would turn the value after it into a command.
 */
export function keyLength(key: string): number {
  if (visibleAscii.test(key)) return key.length <= longestKey ? key.length : 0
  if (forbidden.test(key)) return 0
  const length = Buffer.byteLength(key)
  return length <= longestKey ? length : 0
}

/** A key as Latin-1 text. `length` is its {@link keyLength}; if it differs from the number of characters, the key is not ASCII and is sent as UTF-8. */
export function keyText(key: string, length: number): string {
  return length === key.length ? key : Buffer.from(key).toString('latin1')
}

const longestKey = 250

const visibleAscii = /^[\x21-\x7e]+$/

/** Lone surrogates as well: UTF-8 has no bytes for them, so that two keys would become one. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to refuse
const forbidden = /^$|[\x00-\x20\x7f]|\p{Surrogate}/u
