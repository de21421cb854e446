import { serversOf } from '@fieldwise/memcached/servers'
import { describe, expect, test } from 'vitest'
import { findingsOf as diagnosisOf } from './diagnosis.js'
import type { Examination, Intentions } from './examination.js'

const minute = 60_000
const day = 1_440 * minute

interface Server
  extends Partial<
    Pick<Examination, 'version' | 'speaks' | 'roundTrip' | 'clockAhead' | 'askedForPassword' | 'addresses' | 'refusal'>
  > {
  readonly certificateEndsIn?: number
  readonly general?: Readonly<Record<string, string | number>>
  readonly settings?: Readonly<Record<string, string | number>>
  readonly items?: Readonly<Record<string, string | number>>
}

/** What is found of a good server that is different in this. */
function found({ general, settings, items, certificateEndsIn, ...rest }: Server, meant: Partial<Intentions> = {}): string[] {
  return findingsOf(
    {
      general: stats({ limit_maxbytes: 67_108_864, bytes: 0, max_connections: 1_024, curr_connections: 2, ...general }),
      settings: stats({ cas_enabled: 'yes', item_size_max: 1_048_576, inter: '127.0.0.1', udpport: 0, ...settings }),
      items: stats(items ?? {}),
      certificateEnds: certificateEndsIn === undefined ? undefined : Date.now() + certificateEndsIn,
      ...rest,
    },
    meant,
  )
}

function findingsOf(
  different: Pick<Examination, 'general' | 'settings' | 'items'> & Partial<Examination>,
  meant: Partial<Intentions>,
) {
  const examination: Examination = {
    server: serversOf('127.0.0.1')[0] as Examination['server'],
    version: '1.6.18',
    speaks: { meta: true, binary: true },
    roundTrip: 0.2,
    clockAhead: 0,
    certificateEnds: undefined,
    askedForPassword: false,
    addresses: [],
    refusal: undefined,
    ...different,
  }
  const intentions = {
    credentials: undefined,
    tls: undefined,
    protocol: undefined,
    timeout: 500,
    idle: 30 * minute,
    caches: new Set<string>(),
    ...meant,
  }
  return diagnosisOf(examination, intentions).map(({ severity, code }) => `${severity} ${code}`)
}

function stats(of: Readonly<Record<string, string | number>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(of).map(([name, value]) => [name, String(value)]))
}

describe('a server that holds cached values too', () => {
  const caches = new Set([serversOf('127.0.0.1')[0]?.name as string])

  test('pushes sessions out when it is full, or has done so already', () => {
    expect(found({}, { caches })).toEqual(['warning caches'])
    expect(found({ settings: { evictions: 'on' } }, { caches })).toEqual(['warning caches'])
    expect(found({ general: { evictions: 3 } }, { caches })).toEqual(['warning evictions', 'danger caches'])
  })

  test('pushes nothing out when it evicts nothing, or is another server', () => {
    expect(found({ settings: { evictions: 'off' } }, { caches })).toEqual(['danger evictions-off'])
    expect(found({}, { caches: new Set([serversOf('10.0.0.1')[0]?.name as string]) })).toEqual([])
  })
})

test('a good server has no findings, nor has one that tells nothing of what is asked', () => {
  expect(found({})).toEqual([])
  expect(findingsOf({ general: stats({}), settings: stats({}), items: stats({}) }, {})).toEqual([])
})

describe('an address to listen on', () => {
  test.each([
    'NULL',
    '',
    '*',
    '0.0.0.0',
    '::',
    '[::]:11211',
    '127.0.0.1,0.0.0.0',
    'notls:0.0.0.0:11211',
    '203.0.113.5',
    '2001:db8::1',
  ])("'%s' is open to strangers", (inter) => {
    expect(found({ settings: { inter } })).toEqual(['danger exposed'])
  })

  test.each([
    '127.0.0.1',
    '127.0.0.2:11211',
    '::1',
    '[::1]:11211',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '100.64.0.1',
    'fd00::1',
    'fe80::1',
    'cache-1',
  ])("'%s' is not", (inter) => {
    expect(found({ settings: { inter } })).toEqual([])
  })

  test('172.32.0.1 is outside of the private addresses', () => {
    expect(found({ settings: { inter: '172.32.0.1' } })).toEqual(['danger exposed'])
  })

  test('open to strangers who have to log in is readable without TLS, and good with it', () => {
    const open = { inter: '0.0.0.0' }
    expect(found({ settings: open, askedForPassword: true })).toEqual(['warning readable'])
    expect(found({ settings: { ...open, ssl_enabled: 'yes' }, askedForPassword: true })).toEqual([])
  })

  test('open with TLS alone is guarded only by the certificates of clients', () => {
    const open = { inter: '0.0.0.0', ssl_enabled: 'yes' }
    expect(found({ settings: { ...open, ssl_verify_mode: 0 } })).toEqual(['danger exposed'])
    expect(found({ settings: { ...open, ssl_verify_mode: 2 } })).toEqual([])
  })

  test('is of no account where there is a unix socket', () => {
    expect(found({ settings: { inter: 'NULL', domain_socket: '/run/memcached.sock' } })).toEqual([])
    expect(found({ settings: { inter: 'NULL', domain_socket: 'NULL' } })).toEqual(['danger exposed'])
  })
})

describe('evictions', () => {
  const evicted = (age: number, rest = {}) =>
    found({ general: { evictions: 3 }, items: { 'items:5:evicted': 3, 'items:5:evicted_time': age, ...rest } })

  test('within the idle time lose living sessions, later ones may come to that', () => {
    expect(evicted(1_799)).toEqual(['danger evictions'])
    expect(evicted(1_800)).toEqual(['warning evictions'])
    expect(found({ general: { evictions: 3 } })).toEqual(['warning evictions'])
  })

  test('are judged by the size classes that evicted', () => {
    expect(evicted(7_200, { 'items:6:evicted': 0, 'items:6:evicted_time': 0 })).toEqual(['warning evictions'])
    expect(evicted(7_200, { 'items:6:evicted': 1, 'items:6:evicted_time': 60 })).toEqual(['danger evictions'])
  })
})

describe('memory', () => {
  test('is nearly used up from nine tenths on, of which evictions say more', () => {
    expect(found({ general: { limit_maxbytes: 1_000, bytes: 899 } })).toEqual([])
    expect(found({ general: { limit_maxbytes: 1_000, bytes: 900 } })).toEqual(['warning memory'])
    expect(found({ general: { limit_maxbytes: 1_000, bytes: 900, evictions: 1 } })).toEqual(['warning evictions'])
  })

  test('that was refused is a danger', () => {
    expect(found({ general: { store_no_memory: 1 } })).toEqual(['danger memory'])
  })
})

test('connections are nearly used up from eight tenths on, and those that were turned away are told', () => {
  expect(found({ general: { max_connections: 100, curr_connections: 79 } })).toEqual([])
  expect(found({ general: { max_connections: 100, curr_connections: 80 } })).toEqual(['warning connections'])
  expect(found({ general: { rejected_connections: 1 } })).toEqual(['warning connections-refused'])
  expect(found({ general: { listen_disabled_num: 1 } })).toEqual(['warning connections-refused'])
})

test('an item that holds less than 1 MiB is told, and one that holds no list of fields is a danger', () => {
  expect(found({ settings: { item_size_max: 1_048_575 } })).toEqual(['warning item-size'])
  expect(found({ settings: { item_size_max: 73_728 } })).toEqual(['warning item-size'])
  expect(found({ settings: { item_size_max: 73_727 } })).toEqual(['danger item-size'])
})

describe('protocols', () => {
  const both = { meta: true, binary: true }
  const onlyMeta = { meta: true, binary: false }
  const onlyBinary = { meta: false, binary: true }

  test('one that is missing is told, unless the app has chosen the other or TLS or a password leaves no choice', () => {
    expect(found({ speaks: onlyBinary })).toEqual(['warning no-meta'])
    expect(found({ speaks: onlyMeta })).toEqual(['warning no-binary'])
    expect(found({ speaks: onlyMeta }, { protocol: 'meta' })).toEqual([])
    expect(found({ speaks: onlyMeta }, { tls: {} })).toEqual([])
    for (const speaks of [onlyMeta, onlyBinary]) expect(found({ speaks, askedForPassword: true })).toEqual([])
  })

  test('one that is missing and that the app uses is a danger', () => {
    expect(found({ speaks: onlyBinary }, { protocol: 'meta' })).toEqual(['danger no-meta'])
    expect(found({ speaks: onlyBinary, askedForPassword: true }, { protocol: 'meta' })).toEqual(['danger no-meta'])
    expect(found({ speaks: onlyBinary }, { tls: {} })).toEqual(['danger no-meta'])
    expect(found({ speaks: onlyMeta }, { protocol: 'binary' })).toEqual(['danger no-binary'])
    expect(found({ speaks: onlyMeta, askedForPassword: true }, { protocol: 'binary' })).toEqual(['danger no-binary'])
    expect(found({ speaks: { meta: false, binary: false } })).toEqual(['danger no-protocol'])
    for (const protocol of ['meta', 'binary'] as const) expect(found({ speaks: both }, { protocol })).toEqual([])
  })
})

test('a version is judged by its numbers, and no version by nothing', () => {
  const of = (version: string) => found({ version })
  expect(of('1.4.32')).toEqual(['danger version'])
  expect(of('1.4.33')).toEqual(['warning version'])
  expect(of('1.5.22')).toEqual(['warning version'])
  for (const version of ['1.6.0', '1.10.1', '2.0.0', 'UNKNOWN']) expect(of(version)).toEqual([])
})

test('an answer is slow from a tenth of the timeout on, and too slow from a half', () => {
  expect(found({ roundTrip: 49 })).toEqual([])
  expect(found({ roundTrip: 50 })).toEqual(['warning slow'])
  expect(found({ roundTrip: 250 })).toEqual(['danger slow'])
  expect(found({ roundTrip: 50 }, { timeout: 5_000 })).toEqual([])
})

test('a clock is wrong from 3 s on, either way', () => {
  for (const clockAhead of [3_000, -3_000]) expect(found({ clockAhead })).toEqual([])
  for (const clockAhead of [3_001, -3_001]) expect(found({ clockAhead })).toEqual(['warning clock'])
})

test('a certificate that ends within two weeks is told', () => {
  expect(found({ certificateEndsIn: 13 * day })).toEqual(['warning certificate-ends'])
  expect(found({ certificateEndsIn: 15 * day })).toEqual([])
})

test('UDP, CAS that is off and tiny chunks are dangers', () => {
  expect(found({ settings: { udpport: 11_211 } })).toEqual(['danger udp'])
  expect(found({ settings: { cas_enabled: 'no' } })).toEqual(['danger cas-disabled'])
  expect(found({ settings: { slab_chunk_max: 511 } })).toEqual(['danger tiny-chunks'])
  expect(found({ settings: { slab_chunk_max: 512 } })).toEqual([])
})

test('what memcachedStore refuses is a danger, whatever else is found; a danger that is found says it better', () => {
  const refusal = 'refuses `stats`'
  expect(found({ refusal })).toEqual(['danger refused'])
  expect(found({ refusal, version: '1.5.22' })).toEqual(['danger refused', 'warning version'])
  expect(found({ refusal, settings: { cas_enabled: 'no' } })).toEqual(['danger cas-disabled'])
})

test('memcached -M, and memcached as a proxy, are dangers', () => {
  expect(found({ settings: { evictions: 'off' } })).toEqual(['danger evictions-off'])
  expect(found({ settings: { evictions: 'on', proxy_enabled: 'no' } })).toEqual([])
  expect(found({ settings: { proxy_enabled: 'yes' } })).toEqual(['danger proxy'])
  expect(found({ general: { proxy_conn_requests: 0 } })).toEqual(['danger proxy'])
})

test('a host name with several addresses of one family is a danger', () => {
  const [one, other, six] = [
    { address: '10.0.0.1', family: 4 },
    { address: '10.0.0.2', family: 4 },
    { address: 'fd00::1', family: 6 },
  ]
  expect(found({ addresses: [one, six] })).toEqual([])
  expect(found({ addresses: [one, one] })).toEqual([])
  expect(found({ addresses: [one, other, six] })).toEqual(['danger several-addresses'])
})

test('a figure that is not told, or is none, is taken for nothing', () => {
  const general = { limit_maxbytes: '', bytes: 'many', max_connections: '', curr_connections: '-1', evictions: 'NaN' }
  const settings = { item_size_max: '', udpport: 'on', slab_chunk_max: '', maxconns: '' }
  expect(found({ general, settings, clockAhead: undefined })).toEqual([])
  expect(found({ general: { limit_maxbytes: '', evictions: 3 } })).toEqual(['warning evictions'])
})

test('a password that is not asked for is told', () => {
  const credentials = { username: 'app', password: 'right' }
  expect(found({}, { credentials })).toEqual(['warning password-unused'])
  expect(found({ askedForPassword: true }, { credentials })).toEqual([])
})
