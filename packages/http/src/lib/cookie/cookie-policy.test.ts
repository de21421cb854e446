import { stringifySetCookie } from 'cookie'
import { describe, expect, test } from 'vitest'
import { type CookieOptions, createCookiePolicy, type SetCookie } from './cookie-policy.js'

const production = (options: CookieOptions = {}) => createCookiePolicy(options, true)
const development = (options: CookieOptions = {}) => createCookiePolicy(options, false)

describe('in production', () => {
  test('the cookie is bound to one host, and goes over HTTPS alone', () => {
    expect(line(production().secure.set('T'))).toBe('__Host-session=T; Path=/; HttpOnly; Secure; SameSite=Lax')
  })

  test('it is the same however the request seems to have come: TLS may end at a proxy that nobody told us of', () => {
    const { secure, plain } = production()
    expect(plain).toBe(secure)
  })

  test('with a domain its prefix asks for less', () => {
    expect(line(production({ domain: 'example.com' }).secure.set('T'))).toBe(
      '__Secure-session=T; Domain=example.com; Path=/; HttpOnly; Secure; SameSite=Lax',
    )
  })

  test('with a path too', () => {
    expect(production({ path: '/shop' }).secure.name).toBe('__Secure-session')
  })

  test('`secure: false` is the only way to plain HTTP', () => {
    expect(line(production({ secure: false }).plain.set('T'))).toBe('session=T; Path=/; HttpOnly; SameSite=Lax')
  })
})

describe('in development', () => {
  test('a request over HTTPS has the cookie of production', () => {
    expect(line(development().secure.set('T'))).toBe(line(production().secure.set('T')))
  })

  test('a request over plain HTTP has one without Secure', () => {
    expect(line(development().plain.set('T'))).toBe('session=T; Path=/; HttpOnly; SameSite=Lax')
    expect(line(development({ domain: 'fieldwise.localhost' }).plain.set('T'))).toBe(
      'session=T; Domain=fieldwise.localhost; Path=/; HttpOnly; SameSite=Lax',
    )
  })

  test('a name loses the prefix that a browser would refuse', () => {
    expect(development({ name: '__Host-shop' }).plain.name).toBe('shop')
    expect(development({ name: 'shop' }).plain.name).toBe('shop')
  })

  test('what browsers accept with Secure alone stays Secure', () => {
    expect(development({ sameSite: 'none' }).plain.secure).toBe(true)
    expect(development({ partitioned: true }).plain.secure).toBe(true)
    expect(development({ secure: true }).plain.secure).toBe(true)
  })
})

describe('the line', () => {
  test('carries a life only when asked, in whole seconds, and never 0, which would remove the cookie', () => {
    expect(line(production().secure.set('T'))).not.toContain('Max-Age')
    expect(line(production().secure.set('T', 1_800_000))).toContain('; Max-Age=1800;')
    expect(line(production().secure.set('T', 1_001))).toContain('; Max-Age=2;')
    expect(line(production().secure.set('T', 1))).toContain('; Max-Age=1;')
    expect(line(production().secure.set('T', 0))).toContain('; Max-Age=1;')
  })

  test('that clears has the attributes of the one that sets, or browsers keep the cookie', () => {
    const cookie = production({ domain: 'example.com', path: '/shop', sameSite: 'none', partitioned: true }).secure
    expect(line(cookie.clear())).toBe(line(cookie.set('', 1)).replace('Max-Age=1', 'Max-Age=0'))
    expect(line(cookie.clear())).toContain('Partitioned')
  })

  test('takes a token as it is', () => {
    expect(line(production().secure.set('0f~a.B_-'))).toContain('__Host-session=0f~a.B_-;')
  })

  test('partitioned is for frames on other sites, so SameSite is None', () => {
    expect(line(production({ partitioned: true }).secure.set('T'))).toBe(
      '__Host-session=T; Path=/; HttpOnly; Secure; Partitioned; SameSite=None',
    )
  })

  test('a domain may be written with a leading dot, in upper case or in Unicode', () => {
    expect(production({ domain: '.Example.COM' }).secure.domain).toBe('example.com')
    expect(production({ domain: 'bücher.example' }).secure.domain).toBe('xn--bcher-kva.example')
  })
})

describe('a contradiction is BAD_CONFIG', () => {
  test.each<[string, CookieOptions]>([
    ['SameSite=None without Secure', { sameSite: 'none', secure: false }],
    ['Partitioned without Secure', { partitioned: true, secure: false }],
    ['Partitioned with SameSite=Lax', { partitioned: true, sameSite: 'lax' }],
    ['__Host- with a domain', { name: '__Host-shop', domain: 'example.com' }],
    ['__Host- with a path', { name: '__Host-shop', path: '/shop' }],
    ['__Host- without Secure', { name: '__Host-shop', secure: false }],
    ['__HOST- with a domain: browsers compare prefixes without case', { name: '__HOST-shop', domain: 'example.com' }],
    ['__Secure- without Secure', { name: '__Secure-shop', secure: false }],
    ['__Http- without Secure', { name: '__Http-shop', secure: false }],
    ['a prefix and nothing behind it', { name: '__Host-' }],
    ['an empty name', { name: '' }],
    ['a name with a space', { name: 'my session' }],
    ['a name with a semicolon', { name: 'a;b' }],
    ['a name with a line break', { name: 'a\r\nb' }],
    ['a name in Unicode', { name: 'größe' }],
    ['a name that leaves browsers no room', { name: 'n'.repeat(4_000) }],
    ['a path that leaves browsers no room', { path: `/${'p'.repeat(4_000)}` }],
    ['a path without a slash', { path: 'shop' }],
    ['a path that adds an attribute', { path: '/; Domain=evil.example' }],
    ['an address as the domain', { domain: '127.0.0.1' }],
    ['an IPv6 address as the domain', { domain: '[::1]' }],
    ['a domain with a scheme', { domain: 'https://example.com' }],
    ['a domain with a port', { domain: 'example.com:443' }],
    ['a domain that adds an attribute', { domain: 'example.com; Path=/' }],
    ['an empty domain', { domain: '' }],
    ['a domain longer than any host name', { domain: `${'long-label.'.repeat(30)}com` }],
    ['a domain that is only a dot', { domain: '.' }],
    ['an unknown SameSite', { sameSite: 'Lax' as 'lax' }],
    ['a Secure that is not a boolean', { secure: 'auto' as never }],
    ['an unknown option', { httpOnly: false } as CookieOptions],
    ['an option of another library', { maxAge: 60_000 } as CookieOptions],
  ])('%s', (_, options) => {
    expect(() => production(options)).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
    expect(() => development(options)).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
  })

  test('a name just short enough is taken', () => {
    expect(() => production({ name: 'n'.repeat(3_900) })).not.toThrow()
  })
})

function line(cookie: SetCookie): string {
  return stringifySetCookie(cookie)
}
