import { isFieldwiseError } from 'fieldwise'
import { describe, expect, test } from 'vitest'
import { parseServers, type Servers, serversFromEnvironment } from './servers.js'

const defaults = { timeout: 500, connectTimeout: 400, retryInterval: 1_000 }

describe('the forms of `servers`', () => {
  test.each<[Servers, unknown[]]>([
    ['10.0.0.1:11212', [{ host: '10.0.0.1', port: 11_212 }]],
    ['10.0.0.1', [{ host: '10.0.0.1', port: 11_211 }]],
    ['Cache-1.Example.org:1', [{ host: 'cache-1.example.org', port: 1 }]],
    ['my_cache:65535', [{ host: 'my_cache', port: 65_535 }]],
    ['[::1]:11212', [{ host: '::1', port: 11_212 }]],
    ['[2001:DB8:0:0::1]', [{ host: '2001:db8::1', port: 11_211 }]],
    ['/run/memcached.sock', [{ path: '/run/memcached.sock' }]],
    ['unix:///run/memcached.sock', [{ path: '/run/memcached.sock' }]],
    ['unix:///run/memcached.sock:0', [{ path: '/run/memcached.sock' }]],
    ['tcp://10.0.0.1:11212', [{ host: '10.0.0.1', port: 11_212 }]],
    ['TCP://10.0.0.1/', [{ host: '10.0.0.1', port: 11_211 }]],
    ['tcp://[::1]:11212?persistent=1', [{ host: '::1', port: 11_212 }]],
    ['a:1, b:2 ,c', ['a', 'b', 'c'].map((host, index) => ({ host, port: [1, 2, 11_211][index] }))],
    ['tcp://a:1?weight=1, tcp://b:2', ['a', 'b'].map((host, index) => ({ host, port: [1, 2][index] }))],
    [
      ['a:1', '/b'],
      [{ host: 'a', port: 1 }, { path: '/b' }],
    ],
    [{ one: 'a:1', two: 'unix:///b' }, [{ host: 'a', port: 1 }, { path: '/b' }]],
  ])('%j', (servers, addresses) => {
    expect(parseServers(servers, defaults).map((config) => config.address)).toEqual(addresses)
  })

  test('without a URL the options hold and the weight is 1', () => {
    expect(parseServers('a', defaults)[0]).toMatchObject({ weight: 1, ...defaults })
  })

  test('a URL says weight, and timeout and retry_interval in seconds, for its server alone', () => {
    const [one, two] = parseServers('tcp://a?persistent=1&weight=2&timeout=1&retry_interval=15, tcp://b?timeout=0.25', defaults)
    expect(one).toMatchObject({ weight: 2, timeout: 1_000, connectTimeout: 1_000, retryInterval: 15_000 })
    expect(two).toMatchObject({ weight: 1, timeout: 250, connectTimeout: 250, retryInterval: 1_000 })
  })

  test('MEMCACHE_SERVERS counts when nothing is given, and 127.0.0.1:11211 when that is unset or empty', () => {
    expect(serversFromEnvironment({ MEMCACHE_SERVERS: 'a, b' })).toBe('a, b')
    expect(serversFromEnvironment({ MEMCACHE_SERVERS: '' })).toBe('127.0.0.1:11211')
    expect(serversFromEnvironment({})).toBe('127.0.0.1:11211')
  })
})

describe('labels', () => {
  const labels = (servers: Servers) => parseServers(servers, defaults).map((config) => config.label)

  test('are four characters that depend on the address alone', () => {
    expect(labels('10.0.0.1:11211, 10.0.0.2:11211')).toEqual(labels(['tcp://10.0.0.1?weight=3', '10.0.0.2']))
    for (const label of labels('10.0.0.1:11211, 10.0.0.2:11211, /a, [::1]')) expect(label).toMatch(/^[0-9a-z]{4}$/)
    expect(labels('[2001:db8::1]')).toEqual(labels('[2001:DB8:0::0:1]:11211'))
  })

  test('stay what they were in the first release: they are in every session id', () => {
    expect(labels('127.0.0.1:11211, [::1]:11211, /run/memcached.sock')).toMatchInlineSnapshot(`
      [
        "n53c",
        "g24z",
        "kwnj",
      ]
    `)
  })

  test('are the names that are given', () => {
    expect(labels({ a: '10.0.0.1', 'cache_2-B': '10.0.0.2' })).toEqual(['a', 'cache_2-B'])
  })

  test('of two addresses that are the same are refused, naming the remedy', () => {
    const addresses = Array.from({ length: 3_000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`)
    expect(() => parseServers(addresses, defaults)).toThrow(
      /would both be called '[0-9a-z]{4}'.*give them names: memcachedStore\(\{/,
    )
  })
})

describe('what cannot work is refused, saying what to write instead', () => {
  test.each<[unknown, RegExp]>([
    ['', /not the address.*host:port/],
    [[], /no server is given.*127\.0\.0\.1:11211/],
    [{}, /no server is given/],
    ['a,,b', /'' is not the address/],
    [7, /servers are a string/],
    [null, /servers are a string/],
    [['a', null], /not null/],
    [{ a: 7 }, /not number/],
    ['a:0', /port.*between 1 and 65535/],
    ['a:65536', /port/],
    ['a:port', /not the address/],
    ['a b:1', /not the address/],
    ['::1', /write \[::1\]:11211/],
    ['[::1', /not the address/],
    ['[127.0.0.1]:1', /not the address/],
    ['a/b', /not the address/],
    ['relative/sock.sock', /not the address/],
    ['unix://relative', /path.*starts with '\/'/],
    ['http://a', /'http:\/\/' is not understood; write tcp:/],
    ['tls://a', /protocol: 'meta', tls: true/],
    ['tcp://a#x', /'#'/],
    ['tcp://a?persistent=0', /persistent=0 cannot be had.*persistent=1/],
    ['tcp://a?weight=-1', /weight=-1 is not a whole number/],
    ['tcp://a?weight=1.5', /weight=1.5/],
    ['tcp://a?weight=', /weight=/],
    ['tcp://a?weight=1000001', /from 0 to 1000000/],
    ['tcp://a?timeout=0', /timeout=0 is not a number of seconds above 0/],
    ['tcp://a?timeout=1e3', /timeout/],
    ['tcp://a?retry_interval=-1', /retry_interval=-1/],
    ['tcp://a?wieght=2', /'wieght' is unknown; there are weight, timeout/],
    ['tcp://a?weight=0, tcp://b?weight=0', /every server has weight=0/],
    ['a:1, A:1', /a:1 is given twice/],
    [{ one: 'a', two: 'tcp://a:11211' }, /given twice/],
    [{ 'a b': 'a' }, /name has 1 to 32/],
    [{ ['x'.repeat(33)]: 'a' }, /name has 1 to 32/],
    [{ 'a~b': 'a' }, /name has/],
  ])('%j', (servers, message) => {
    let error: unknown
    try {
      parseServers(servers as Servers, defaults)
    } catch (thrown) {
      error = thrown
    }
    expect(isFieldwiseError(error, 'BAD_CONFIG') && error.message).toMatch(message)
  })

  test.each(['user:hunter2@a:1', 'tcp://user:hunter2@a:1', 'tcp://a?password=hunter2@x', ['b', 'user:hunter2@a']])(
    'a password in an address, without repeating it: %#',
    (servers) => {
      expect(() => parseServers(servers, defaults)).toThrow(/options `username` and `password`/)
      expect(() => parseServers(servers, defaults)).not.toThrow(/hunter2/)
    },
  )
})
