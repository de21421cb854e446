import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { Credentials } from '../../../../../test/support/credentials.js'
import { freePorts } from '../../../../../test/support/free-port.js'
import { Memcached, type MemcachedOptions } from '../../../../../test/support/memcached.js'
import { measured } from '../../../../../test/support/promise.js'
import { ScriptedServer } from '../../../../../test/support/scripted-server.js'
import { asVersion15, evict, fill, httpServer, slowed, withClock } from '../../testing/bad-servers.js'
import { type Ended, fieldwise } from '../../testing/command-line.js'
import type { Finding } from '../doctor/finding.js'
import type { Report } from '../doctor/report.js'

const credentials = new Credentials()
const folder = mkdtempSync(join(tmpdir(), 'fieldwise-doctor-'))
const ends: AsyncDisposable[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end[Symbol.asyncDispose]()
})

afterAll(() => {
  credentials[Symbol.dispose]()
  rmSync(folder, { recursive: true, force: true })
})

async function memcached(options?: MemcachedOptions): Promise<Memcached> {
  return ending(Memcached.start(options))
}

function memcachedWith(...flags: string[]): Promise<Memcached> {
  return memcached({ flags })
}

async function ending<T extends AsyncDisposable>(started: Promise<T>): Promise<T> {
  const server = await started
  ends.push(server)
  return server
}

// What a test waits for on a busy machine is no finding.
const patient = ['--timeout', '5s']

async function doctor(address: string, ...options: string[]): Promise<Ended & { report: Report; findings: readonly Finding[] }> {
  const ended = await fieldwise(['doctor', address, '--json', ...patient, ...options])
  const report = JSON.parse(ended.output) as Report
  return { ...ended, report, findings: report.servers.flatMap(({ findings }) => findings) }
}

/** What is said of a server: one finding, with its remedy. */
async function only(address: string, ...options: string[]): Promise<Finding> {
  const { findings, code } = await doctor(address, ...options)
  expect(findings).toHaveLength(1)
  expect(code).toBe(findings[0]?.severity === 'danger' ? 1 : 0)
  return findings[0] as Finding
}

/** Servers as they should not be: what is found first, and what the remedy names. */
const bad: readonly BadServer[] = [
  { what: 'memcached -C', start: () => memcachedWith('-C'), code: 'cas-disabled', remedy: /without -C/ },
  {
    what: 'items of 1 KiB, and chunks that crash memcached',
    start: () => memcachedWith('-I', '1k', '-o', 'slab_chunk_max=1'),
    code: 'tiny-chunks',
    remedy: /-o slab_chunk_max/,
    besides: { 'item-size': /-I 1m/ },
  },
  {
    what: 'a memory so small that living sessions are evicted',
    start: async () => {
      const server = await memcached({ flags: ['-m', '1', '-I', '512k'] })
      await evict(server)
      return server
    },
    code: 'evictions',
    remedy: /memcached -m, now 1 MiB/,
    besides: { 'item-size': /-I 1m/ },
  },
  {
    what: 'no connection left',
    start: async () => {
      const server = await memcached({ flags: ['-c', '32'] })
      ends.push(await fill(server))
      return server
    },
    code: 'connections-full',
    remedy: /memcached -c/,
  },
  {
    what: 'UDP',
    start: async () => memcachedWith('-U', String((await freePorts(1))[0])),
    code: 'udp',
    remedy: /-U 0.*nft add rule .* udp/,
  },
  {
    what: 'every address to listen on, and nobody asked who they are',
    start: () => memcachedWith('-l', '0.0.0.0'),
    code: 'exposed',
    remedy: /-l 127\.0\.0\.1.*nft add rule.*-Y/,
  },
  {
    what: 'memcached 1.5, without the meta protocol',
    start: async () => ending(asVersion15(await memcached())),
    code: 'no-meta',
    remedy: /1\.6\.18/,
    besides: { version: /1\.6\.18/ },
  },
  {
    what: 'a wrong password',
    start: () => memcached(credentials.sasl('app', 'right')),
    options: ['--username', 'app', '--password', 'hunter2'],
    code: 'password-refused',
    remedy: /saslpasswd2.*-Y/,
  },
  {
    what: 'TLS on the other side',
    start: () => memcachedWith(...credentials.tls().flags),
    code: 'tls-needed',
    remedy: /--tls.*tls: true/,
  },
  { what: 'HTTP on the port', start: () => ending(httpServer()), code: 'not-memcached', remedy: /host and port/ },
  {
    what: 'nobody there',
    start: async () => ({ address: `127.0.0.1:${(await freePorts(1))[0]}` }),
    code: 'unreachable',
    remedy: /-l.*-p/,
  },
  {
    what: 'answers that come late',
    start: async () => ending(slowed(await memcached(), 60)),
    options: ['--timeout', '500ms'],
    code: 'slow',
    remedy: /timeout/,
  },
]

interface BadServer {
  readonly what: string
  start(): Promise<{ readonly address: string }>
  readonly options?: readonly string[]
  readonly code: string
  readonly remedy: RegExp
  /** What else is wrong with it. */
  readonly besides?: Readonly<Record<string, RegExp>>
}

/** Servers as they should be. */
const good: readonly { start(): Promise<{ readonly address: string }>; readonly options?: readonly string[] }[] = [
  { start: () => memcached() },
  { start: () => memcached({ host: '::1' }) },
  { start: () => memcached({ unix: true }) },
  { start: () => memcachedWith('-m', '128', '-c', '4096', '-I', '4m', '-t', '2') },
  { start: () => memcached(credentials.sasl('app', 'right')), options: ['--username', 'app', '--password', 'right'] },
  { start: () => memcached(credentials.passwordFile('app', 'right')), options: ['--username', 'app', '--password', 'right'] },
]

test('twelve bad servers are named with the remedy, and no good one is', async (context) => {
  const named = []
  for (const { what, start, options = [], code, remedy, besides = {} } of bad) {
    const { findings, output, code: exit } = await doctor((await start()).address, ...options)
    const remedies = { ...besides, [code]: remedy }
    expect(findings.map((finding) => finding.code).sort(), what).toEqual(Object.keys(remedies).sort())
    for (const finding of findings) expect(finding.remedy, what).toMatch(remedies[finding.code] as RegExp)
    expect(exit, what).toBe(findings.some(({ severity }) => severity === 'danger') ? 1 : 0)
    expect(output).not.toContain('hunter2')
    named.push(what)
  }
  const alarms = []
  for (const { start, options = [] } of good) {
    const { findings, code } = await doctor((await start()).address, ...options)
    alarms.push(...findings)
    expect(code).toBe(0)
  }
  measured(
    context,
    `${bad.length} bad servers, ${good.length} good ones`,
    `${named.length} named with the remedy, ${alarms.length} false alarms`,
  )
  expect(named).toHaveLength(12)
  expect(alarms).toEqual([])
})

describe('the doctor also tells', () => {
  test('how grave a missing protocol is, by the protocol that the app uses', async () => {
    const { address } = await ending(asVersion15(await memcached()))
    const [missing] = (await doctor(address)).findings
    expect(missing).toMatchObject({ code: 'no-meta', severity: 'warning' })
    const [needed] = (await doctor(address, '--protocol', 'meta')).findings
    expect(needed).toMatchObject({ code: 'no-meta', severity: 'danger' })
  })

  test.each(['sasl', 'passwordFile'] as const)('a password that is wrong or missing (%s)', async (kind) => {
    const { address } = await memcached(credentials[kind]('app', 'right'))
    const wrong = await only(address, '--username', 'app', '--password', 'hunter2')
    expect(wrong).toMatchObject({ code: 'password-refused', severity: 'danger' })
    expect(await only(address)).toMatchObject({
      code: 'password-needed',
      severity: 'danger',
      remedy: expect.stringMatching(/FIELDWISE_PASSWORD/),
    })
  })

  test('a certificate that nobody vouches for, and one for another name', async () => {
    const { flags, ca } = credentials.tls()
    const port = (await freePorts(1))[0] as number
    const { address } = await memcached({ port, flags: [...flags, '-l', '127.0.0.2'] })
    expect(await only(address, '--tls')).toMatchObject({ code: 'certificate', remedy: expect.stringMatching(/--ca <file>/) })
    const file = join(folder, 'ca.pem')
    writeFileSync(file, ca)
    const other = await only(`127.0.0.2:${port}`, '--ca', file)
    expect(other).toMatchObject({ code: 'certificate', severity: 'danger', remedy: expect.stringMatching(/servername/) })
  })

  test('TLS on this side alone, whether the server takes its greeting for a line that ends or not', async () => {
    const waiting = ScriptedServer.raw((peer) => {
      peer.socket.on('data', (bytes: Buffer) => bytes.toString('latin1').startsWith('version') && peer.send('VERSION 1.6.18\r\n'))
    })
    const answering = ScriptedServer.raw((peer) => {
      peer.socket.on('data', () => peer.send('ERROR\r\n'))
    })
    for (const { address } of [await ending(waiting), await ending(answering)]) {
      const named = await only(address, '--tls', '--timeout', '300ms')
      expect(named).toMatchObject({ code: 'tls-missing', severity: 'danger', remedy: expect.stringMatching(/memcached -Z/) })
    }
  })

  test('a socket that is not there', async () => {
    expect(await only('/nowhere/memcached.sock')).toMatchObject({ code: 'unreachable', remedy: expect.stringMatching(/-s/) })
  })

  test('no answer at all', async () => {
    const server = await memcached()
    await server.freeze()
    expect(await only(server.address, '--timeout', '300ms')).toMatchObject({
      code: 'silent',
      severity: 'danger',
      message: expect.stringMatching(/within 300 ms/),
      remedy: expect.stringMatching(/overloaded/),
    })
    server.thaw()
  })

  test('another protocol', async () => {
    const { address } = await ending(ScriptedServer.raw((peer) => peer.send('SSH-2.0-OpenSSH_9.2\r\n')))
    expect(await only(address)).toMatchObject({ code: 'not-memcached', severity: 'danger' })
  })

  test('a clock that is wrong', async () => {
    const { address } = await ending(withClock(await memcached(), -10_000))
    expect(await only(address)).toMatchObject({
      code: 'clock',
      severity: 'warning',
      message: expect.stringMatching(/2.8 hours behind/),
      remedy: expect.stringMatching(/NTP/),
    })
  })

  test('connections that are nearly used up', async () => {
    const server = await memcached({ flags: ['-c', '32'] })
    const taken = await fill(server)
    await taken[Symbol.asyncDispose]()
    const { findings } = await doctor(server.address)
    expect(findings).toMatchObject([
      { code: expect.stringMatching(/^connections/), severity: 'warning', remedy: expect.stringMatching(/memcached -c/) },
    ])
  })

  test('memory that is nearly used up, and writes refused for it', async () => {
    const server = await memcached({ flags: ['-m', '1', '-I', '512k', '-M'] })
    await expect(evict(server)).rejects.toThrow()
    expect((await doctor(server.address)).findings).toMatchObject([
      { code: 'item-size', severity: 'warning' },
      { code: 'evictions-off', severity: 'danger', remedy: expect.stringMatching(/without -M/) },
      { code: 'memory', severity: 'danger', remedy: expect.stringMatching(/-m.*-M/) },
    ])
  })

  test('a server that keeps its statistics to itself, of which nothing is shown that it does not tell', async () => {
    const { address } = await ending(
      ScriptedServer.start({
        protocol: 'meta',
        script: () => {},
        greet: ({ word }, peer) => {
          if (word === 'stats') peer.send('ERROR\r\n')
          return word === 'stats'
        },
      }),
    )
    const named = await only(address, '--protocol', 'meta')
    expect(named).toMatchObject({ code: 'refused', severity: 'danger', message: expect.stringMatching(/refuses `stats`/) })
    const { output } = await fieldwise(['doctor', address, '--protocol', 'meta', ...patient])
    expect(output).toMatch(/memcached 1\.6\.18, meta, \S+ m?s away\n/)
  })

  test('a server without item_size_max, which the store refuses', async () => {
    const { address } = await ending(
      ScriptedServer.start({ protocol: 'meta', script: () => {}, settings: { item_size_max: '' } }),
    )
    expect(await only(address, '--protocol', 'meta')).toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/item_size_max/),
    })
  })

  test('memcached as a proxy', async () => {
    const { address } = await ending(
      ScriptedServer.start({ protocol: 'meta', script: () => {}, stats: { proxy_conn_requests: '3' } }),
    )
    expect(await only(address, '--protocol', 'meta')).toMatchObject({ code: 'proxy', severity: 'danger' })
  })

  test('nothing of a server that takes a login as memcached 1.6.45 does: it logs in the way the store does', async () => {
    const { address } = await ending(ScriptedServer.start({ protocol: 'meta', script: () => {}, login: 'app right' }))
    const login = ['--username', 'app', '--protocol', 'meta', '--password']
    expect((await doctor(address, ...login, 'right')).findings).toEqual([])
    expect(await only(address, ...login, 'hunter2')).toMatchObject({ code: 'password-refused' })
  })

  test('a password on every address, but no TLS', async () => {
    const { flags } = credentials.passwordFile('app', 'right')
    const { address } = await memcached({ flags: [...flags, '-l', '0.0.0.0'] })
    const login = ['--username', 'app', '--password', 'right']
    expect(await only(address, ...login)).toMatchObject({
      code: 'readable',
      severity: 'warning',
      remedy: expect.stringMatching(/-Z/),
    })
  })

  test('a password that is not asked for', async () => {
    const { address } = await memcached()
    const named = await only(address, '--username', 'app', '--password', 'hunter2')
    expect(named).toMatchObject({ code: 'password-unused', severity: 'warning' })
  })

  test('the binary protocol turned off', async () => {
    const { address } = await memcached({ flags: ['-B', 'ascii'] })
    expect(await only(address)).toMatchObject({
      code: 'no-binary',
      severity: 'warning',
      remedy: expect.stringMatching(/protocol: 'meta'/),
    })
    expect((await doctor(address, '--protocol', 'meta')).findings).toEqual([])
  })

  test('a cookie that does not reach the hosts', async () => {
    const { address } = await memcached()
    const { report, code } = await doctor(
      address,
      '--host',
      'www.shop.example',
      '--host',
      'shop.test',
      '--cookie-domain',
      'shop.example',
    )
    expect(code).toBe(1)
    expect(report.cookie.findings).toMatchObject([
      {
        code: 'domain-does-not-cover-host',
        severity: 'danger',
        message: expect.stringMatching(/shop\.test/),
        remedy: expect.stringMatching(/^Open the app at a name below shop\.example/),
      },
    ])
  })
})

test('what is known of a server is told besides', async () => {
  const { report } = await doctor((await memcached({ flags: ['-m', '128', '-c', '2000'] })).address)
  expect(report.servers[0]?.facts).toMatchObject({
    version: expect.stringMatching(/^1\.\d+\.\d+/),
    protocols: ['meta', 'binary'],
    clockAhead: 0,
    itemSize: 1024 * 1024,
    memory: { limit: 128 * 1024 * 1024, used: 0 },
    connections: { limit: 2_000 },
    evictions: 0,
  })
})

describe('the doctor finds nothing wrong with', () => {
  test('memcached with TLS, and with TLS and a password on every address', async () => {
    const { flags, ca } = credentials.tls()
    const file = join(folder, 'ca.pem')
    writeFileSync(file, ca)
    // The certificate of this test is good for two days, of which a finding warns.
    const { findings } = await doctor((await memcached({ flags })).address, '--ca', file)
    expect(findings).toMatchObject([
      { code: 'certificate-ends', severity: 'warning', message: expect.stringMatching(/expires in/) },
    ])
    const guarded = [...flags, ...credentials.passwordFile('app', 'right').flags, '-l', '0.0.0.0']
    const open = await doctor(
      (await memcached({ flags: guarded })).address,
      '--ca',
      file,
      '--username',
      'app',
      '--password',
      'right',
    )
    expect(open.findings.map(({ code }) => code)).toEqual(['certificate-ends'])
  })

  test('several of them, and a cookie that reaches the hosts', async () => {
    const [one, other] = await Promise.all([memcached(), memcached()])
    const hosts = ['--host', 'www.shop.example', '--host', 'shop.example', '--cookie-domain', 'shop.example']
    const { report, code } = await doctor(`a=${one.address}, b=${other.address}`, ...hosts)
    expect(code).toBe(0)
    expect(report.servers.map(({ label, findings }) => [label, findings.length])).toEqual([
      ['a', 0],
      ['b', 0],
    ])
    expect(report.cookie.findings).toEqual([])
  })
})

test('people are told the same in words, each finding with its remedy', async () => {
  const { address } = await memcached({ flags: ['-C'] })
  const { output, code } = await fieldwise(['doctor', address, ...patient])
  expect(code).toBe(1)
  expect(output).toMatch(new RegExp(`^${address}  memcached 1\\.\\d+\\.\\d+, meta and binary, `))
  expect(output).toMatch(
    /danger {3}cas-disabled\n +It gives items no version.*\n +Remedy: Start memcached without -C\.\n\n1 danger, 0 warnings\n$/,
  )
})

test('the servers are those of MEMCACHE_SERVERS where none are given', async () => {
  const { address } = await memcached()
  process.env.MEMCACHE_SERVERS = address
  try {
    const { output } = await fieldwise(['doctor', ...patient])
    expect(output).toMatch(new RegExp(`^${address} .*\n  good\n\nNothing found.\n$`))
  } finally {
    delete process.env.MEMCACHE_SERVERS
  }
})
