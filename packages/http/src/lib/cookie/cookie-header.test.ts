import { describe, expect, test } from 'vitest'
import { count, measured } from '../../../../../test/support/promise.js'
import { Chance, scaled } from '../../../../../test/support/scale.js'
import { cookieValues, mostCandidates } from './cookie-header.js'

const name = '__Host-session'

describe('cookieValues', () => {
  test('finds the cookie wherever it stands', () => {
    expect(cookieValues('__Host-session=a', name)).toEqual(['a'])
    expect(cookieValues('x=1; __Host-session=a; y=2', name)).toEqual(['a'])
    expect(cookieValues('x=1;__Host-session=a;y=2', name)).toEqual(['a'])
    expect(cookieValues('x=1;\t __Host-session=a\t; y', name)).toEqual(['a'])
  })

  test('gives nothing where there is nothing', () => {
    expect(cookieValues(undefined, name)).toEqual([])
    expect(cookieValues('', name)).toEqual([])
    expect(cookieValues('__Host-session', name)).toEqual([])
    expect(cookieValues('__Host-session=', name)).toEqual([])
    expect(cookieValues('x=__Host-session=a', name)).toEqual([])
  })

  test('gives all of several, in order, and equal ones once', () => {
    expect(cookieValues('__Host-session=a; __Host-session=b; __Host-session=a', name)).toEqual(['a', 'b'])
  })

  test('gives none of more than a few, since each could cost a request to the store', () => {
    const header = (count: number) => Array.from({ length: count }, (_, at) => `__Host-session=${at}`).join('; ')
    expect(cookieValues(header(mostCandidates), name)).toHaveLength(mostCandidates)
    expect(cookieValues(header(mostCandidates + 1), name)).toEqual([])
  })

  test('takes values as they stand: quotes and percent signs are part of them', () => {
    expect(cookieValues('__Host-session="a"', name)).toEqual(['"a"'])
    expect(cookieValues('__Host-session=%61', name)).toEqual(['%61'])
  })

  test.each([
    ['U+2000, as the octets of its UTF-8', '\xe2\x80\x80__Host-session'],
    ['U+2000', '\u2000__Host-session'],
    ['a no-break space', '\xa0__Host-session'],
    ['a no-break space behind it', '__Host-session\xa0'],
    ['a byte order mark', '\ufeff__Host-session'],
    ['a vertical tab', '\v__Host-session'],
    ['a form feed', '\f__Host-session'],
    ['a next-line character', '\x85__Host-session'],
    ['quotes', '"__Host-session"'],
    ['another case', '__host-session'],
    ['a percent-encoded letter', '__Host%2Dsession'],
    ['a prefix', 'x__Host-session'],
    ['a suffix', '__Host-sessions'],
    ['a full-width letter', '__Host-sess\uff49on'],
    ['a dotless letter', '__Host-sess\u0131on'],
    ['a zero byte', '__Host-session\0'],
    ['$Version before it, as RFC 2109 had it', '$Version=1, __Host-session'],
    ['a comma before it', 'x=1, __Host-session'],
  ])('does not take a name with %s for its own', (_, decoy) => {
    expect(cookieValues(`${decoy}=evil; ${name}=own`, name)).toEqual(['own'])
    expect(cookieValues(`${decoy}=evil`, name)).toEqual([])
  })

  test('accepts none but its own in generated headers', (context) => {
    const headers = scaled(10_000)
    const chance = new Chance('cookie headers')
    const wrong: string[] = []
    for (let round = 0; round < headers; round++) {
      const { header, own } = generate(() => chance.next())
      const found = cookieValues(header, name)
      if (found.join() !== own.join()) wrong.push(JSON.stringify(header))
    }
    measured(context, `${count(headers)} generated Cookie headers`, `${wrong.length} wrong accepts, 0 crashes`)
    expect(wrong).toEqual([])
  })
})

/** A header of decoys, each with a value that names it evil, among which the cookie itself may stand. */
function generate(random: () => number): { header: string; own: string[] } {
  const own = new Set<string>()
  const pairs = Array.from({ length: Math.floor(random() * 8) }, (_, at) => {
    if (random() < 0.25) {
      own.add(`own${at}`)
      return `${blank(random)}${name}${blank(random)}=${blank(random)}own${at}${blank(random)}`
    }
    return random() < 0.5 ? `${decoyName(random)}=evil${at}` : garbage(random)
  })
  return { header: pairs.join(';'), own: own.size > mostCandidates ? [] : [...own] }
}

function decoyName(random: () => number): string {
  const at = Math.floor(random() * (name.length + 1))
  const kinds = [
    () => name.slice(0, at) + pick(random, strangers) + name.slice(at),
    () => name.slice(0, at) + flipCase(name.slice(at)),
    () => name.slice(0, at).concat(name.slice(at + 1)),
    () => `$Version=1,${blank(random)}${name}`,
    () => `"${name}"`,
    () => `${blank(random)}=${name}`,
    () => encodeURIComponent(`${name}=`),
  ]
  const decoy = pick(random, kinds)()
  return decoy.replace(/[ \t]/g, '') === name || decoy.startsWith(`${name}=`) ? `x${decoy}` : decoy
}

function garbage(random: () => number): string {
  const text = Array.from({ length: Math.floor(random() * 24) }, () =>
    pick(random, [...strangers, '=', name, '"', 'a', ' ', '\t']),
  ).join('')
  return new RegExp(`^[ \t]*${name}[ \t]*=`).test(text) ? `x${text}` : text
}

const strangers = [
  ...['\u2000', '\u2003', '\u2028', '\u3000', '\xe2\x80\x80', '\xa0', '\xc2\xa0', '\x85', '\ufeff', '\u200b', '\u202e', '\ud800'],
  ...[
    '\v',
    '\f',
    '\r',
    '\n',
    '\0',
    '\x1f',
    '\x7f',
    '"',
    "'",
    ',',
    '$',
    '%',
    '%3D',
    '\\',
    '/',
    '_',
    '.',
    '__proto__',
    'constructor',
  ],
]

function flipCase(text: string): string {
  const flipped = [...text]
    .map((letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()))
    .join('')
  return flipped === text ? `${text}X` : flipped
}

function blank(random: () => number): string {
  return pick(random, ['', '', ' ', '\t', ' \t '])
}

function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T
}
