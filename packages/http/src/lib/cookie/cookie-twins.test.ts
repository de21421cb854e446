import { parseSetCookie } from 'cookie'
import { expect, test } from 'vitest'
import { type CookieOptions, createCookiePolicy } from './cookie-policy.js'
import { twinRemovals } from './cookie-twins.js'

/** What is removed at a place, as `domain path`. */
function removed(cookie: CookieOptions, hostname: string | undefined, path = '/'): string[] {
  const { secure } = createCookiePolicy({ name: '__Secure-sid', ...cookie }, true)
  return twinRemovals(secure, { hostname, path }).map((line) => {
    const { domain = '-', path, value, maxAge } = parseSetCookie(line)
    expect([value, maxAge]).toEqual(['', 0])
    return `${domain} ${path}`
  })
}

test('with a Domain: the cookie of the host alone, and those of the other domains that it is in', () => {
  expect(removed({ domain: 'example.com' }, 'www.eu.example.com')).toEqual(['- /', 'www.eu.example.com /', 'eu.example.com /'])
})

test('without one: those of each domain that the host is in', () => {
  expect(removed({}, 'www.example.com')).toEqual(['www.example.com /', 'example.com /'])
})

test('for each path that the request is below', () => {
  expect(removed({ domain: 'example.com' }, 'example.com', '/shop/cart')).toEqual([
    ...['- /', '- /shop', 'example.com /shop', '- /shop/', 'example.com /shop/', '- /shop/cart', 'example.com /shop/cart'],
  ])
  expect(removed({ path: '/shop' }, undefined, '/shop/')).toEqual(['- /', '- /shop/'])
})

test('never the cookie itself', () => {
  for (const domain of [undefined, 'example.com', 'www.example.com']) {
    const own = `${domain ?? '-'} /`
    expect(removed(domain === undefined ? {} : { domain }, 'www.example.com', '/a/b')).not.toContain(own)
  }
})

test('nothing where no twin can be: another domain or path cannot have a name that begins with __Host-', () => {
  expect(removed({ name: '__Host-sid' }, 'www.example.com', '/shop')).toEqual([])
})

test.each(['127.0.0.1', '[::1]', 'localhost', 'a;b.example', '', undefined])(
  'a host that is in no domain has none: %s',
  (host) => {
    expect(removed({}, host)).toEqual([])
  },
)

test('a path that a cookie cannot have is left out', () => {
  expect(removed({}, undefined, '/a;b/c')).toEqual([])
})

test('the lines leave room for the rest of the answer', () => {
  const { secure } = createCookiePolicy({ name: '__Secure-sid' }, true)
  const lines = twinRemovals(secure, { hostname: 'a.b.c.d.e.example.com', path: `/${'deep/'.repeat(50)}` })
  expect(lines.join('').length).toBeGreaterThan(1_500)
  expect(lines.join('').length).toBeLessThanOrEqual(2_048)
})
