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

/** A key as text of one byte a character. `length` is its {@link keyLength}, which tells whether it goes beyond ASCII: then it is UTF-8. */
export function keyText(key: string, length: number): string {
  return length === key.length ? key : Buffer.from(key).toString('latin1')
}

const longestKey = 250

const visibleAscii = /^[\x21-\x7e]+$/

/** Lone surrogates as well: they have no bytes of their own, so two keys would become one. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to refuse
const forbidden = /^$|[\x00-\x20\x7f]|\p{Surrogate}/u
