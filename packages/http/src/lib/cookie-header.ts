import { parseCookie } from 'cookie'

/**
 * The different values that a `Cookie` header gives the name, in order; usually none or one. Names compare octet by octet,
 * and values are taken as they stand: no unquoting, no percent-decoding, no `$Version`.
 *
 * A header with more than {@link mostCandidates} of them gives none: each could cost a request to the store.
 */
export function cookieValues(header: string | undefined, name: string): readonly string[] {
  if (header === undefined || !header.includes(name)) return []
  const values = new Set<string>()
  for (const pair of header.split(';')) {
    // One pair at a time: of two cookies with one name the parser keeps the first alone.
    const value = parseCookie(pair, verbatim)[name]
    if (value !== undefined && value !== '') values.add(value)
  }
  return values.size > mostCandidates ? [] : [...values]
}

export const mostCandidates = 4

const verbatim = { decode: (value: string) => value }
