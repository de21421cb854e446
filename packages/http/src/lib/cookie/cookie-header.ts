import { parseCookie } from 'cookie'

/**
 * The different values that a `Cookie` header gives the name, in order; usually none or one. Names compare octet by octet,
 * and values are taken as they stand: no unquoting, no percent-decoding, no `$Version`.
 *
 * A header with more than {@link mostCandidates} of them gives none: each could cost a request to the store.
 */
export function cookieValues(header: string | undefined, name: string): readonly string[] {
  const values = differentValues(header, name)
  return values.size > mostCandidates ? [] : [...values]
}

/** Whether the header has more values than {@link cookieValues} gives. */
export function hasTooManyValues(header: string | undefined, name: string): boolean {
  return differentValues(header, name).size > mostCandidates
}

export const mostCandidates = 4

function differentValues(header: string | undefined, name: string): Set<string> {
  const values = new Set<string>()
  if (header === undefined || !header.includes(name)) return values
  for (const pair of header.split(';')) {
    // One pair at a time: of two cookies with one name the parser keeps the first alone.
    const value = parseCookie(pair, verbatim)[name]
    if (value !== undefined && value !== '') values.add(value)
  }
  return values
}

const verbatim = { decode: (value: string) => value }
