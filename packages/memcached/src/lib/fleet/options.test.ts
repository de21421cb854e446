import { isFieldwiseError } from 'fieldwise'
import { describe, expect, test } from 'vitest'
import { memcachedStore } from '../../index.js'
import { type MemcachedOptions, parseOptions } from './options.js'

describe('the options of memcachedStore', () => {
  test('default to the binary protocol, half a second, and a trial each second', () => {
    expect(parseOptions({})).toEqual({
      protocol: 'binary',
      timeouts: { timeout: 500, connectTimeout: 500, retryInterval: 1_000 },
      credentials: undefined,
      tls: undefined,
    })
  })

  test('are durations; connecting may take as long as an operation unless it is said otherwise', () => {
    expect(parseOptions({ timeout: '2s' }).timeouts).toMatchObject({ timeout: 2_000, connectTimeout: 2_000 })
    expect(parseOptions({ timeout: '2s', connectTimeout: '1s', retryInterval: '1m' }).timeouts).toEqual({
      timeout: 2_000,
      connectTimeout: 1_000,
      retryInterval: 60_000,
    })
  })

  test('carry a password with @, : and spaces for SASL as it is', () => {
    expect(parseOptions({ username: 'me@host', password: 'p:w@d x' }).credentials).toEqual({
      username: 'me@host',
      password: 'p:w@d x',
    })
  })

  test('carry TLS options for meta, true being those of Node', () => {
    expect(parseOptions({ protocol: 'meta', tls: true }).tls).toEqual({})
    expect(parseOptions({ protocol: 'meta', tls: { servername: 'x' } }).tls).toEqual({ servername: 'x' })
  })

  test.each<[unknown, RegExp]>([
    [{ protocol: 'text' }, /'binary', 'meta' or 'auto'/],
    [{ tls: true }, /protocol: 'meta', tls/],
    [{ protocol: 'binary', tls: {} }, /protocol: 'meta', tls/],
    [{ protocol: 'auto', tls: true }, /protocol: 'meta', tls/],
    [{ protocol: 'auto', username: 'a b', password: 'hunter2' }, /no room for/],
    [{ protocol: 'meta', tls: false }, /leave it out/],
    [{ protocol: 'meta', tls: 'yes' }, /`tls` is true or/],
    [{ timeout: 500 }, /`timeout`.*'500ms'/],
    [{ timeout: '0ms' }, /`timeout` is more than 0/],
    [{ connectTimeout: '2d' }, /`connectTimeout` is more than 0 and at most a day/],
    [{ retryInterval: '-1s' }, /`retryInterval`/],
    [{ username: 'a' }, /go together/],
    [{ password: 'hunter2' }, /go together/],
    [{ username: '', password: 'hunter2' }, /go together/],
    [{ username: 'a', password: 'hunter2\0' }, /NUL/],
    [{ protocol: 'meta', username: 'a', password: 'hunter2\r\nflush_all' }, /no room for/],
    [{ protocol: 'meta', username: 'a b', password: 'hunter2' }, /no room for/],
    [{ protocol: 'meta', username: 'a', password: 'hunter2 x' }, /no room for/],
    [{ timout: '1s' }, /no option 'timout'; it has protocol/],
    [null, /an object/],
  ])('what cannot work is refused: %j', (options, message) => {
    let error: unknown
    try {
      memcachedStore('a', options as MemcachedOptions)
    } catch (thrown) {
      error = thrown
    }
    expect(isFieldwiseError(error, 'BAD_CONFIG') && error.message).toMatch(message)
    expect(String(error)).not.toContain('hunter2')
  })
})
