import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { Credentials } from '../../../../../test/support/credentials.js'
import { freePorts } from '../../../../../test/support/free-port.js'
import { Memcached, type MemcachedOptions } from '../../../../../test/support/memcached.js'
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

describe('the doctor names what is wrong, and the remedy, with', () => {
  test('memcached -C', async () => {
    const { address } = await memcached({ flags: ['-C'] })
    expect(await only(address)).toMatchObject({
      code: 'cas-disabled',
      severity: 'danger',
      remedy: expect.stringMatching(/without -C/),
    })
  })

  test('items of 1 KiB and chunks that crash memcached', async () => {
    const { address } = await memcached({ flags: ['-I', '1k', '-o', 'slab_chunk_max=1'] })
    const { findings, code } = await doctor(address)
    expect(code).toBe(1)
    expect(findings).toMatchObject([
      { code: 'tiny-chunks', severity: 'danger', remedy: expect.stringMatching(/-o slab_chunk_max/) },
      { code: 'item-size', severity: 'danger', message: expect.stringMatching(/1 KiB/), remedy: expect.stringMatching(/-I 1m/) },
    ])
  })

  test('a memory so small that sessions are evicted', async () => {
    const server = await memcached({ flags: ['-m', '1', '-I', '512k'] })
    await evict(server)
    const { findings, code } = await doctor(server.address)
    expect(code).toBe(1)
    expect(findings).toMatchObject([
      { code: 'item-size', severity: 'warning' },
      {
        code: 'evictions',
        severity: 'danger',
        message: expect.stringMatching(/living sessions are lost/),
        remedy: expect.stringMatching(/memcached -m, now 1 MiB/),
      },
    ])
  })

  test('no connection left', async () => {
    const server = await memcached({ flags: ['-c', '32'] })
    ends.push(await fill(server))
    expect(await only(server.address)).toMatchObject({
      code: 'connections-full',
      severity: 'danger',
      remedy: expect.stringMatching(/memcached -c/),
    })
  })

  test('UDP', async () => {
    const [port] = await freePorts(1)
    const { address } = await memcached({ flags: ['-U', String(port)] })
    expect(await only(address)).toMatchObject({
      code: 'udp',
      severity: 'danger',
      remedy: expect.stringMatching(/-U 0.*nft add rule .* udp/),
    })
  })

  test('every address to listen on, and nobody asked who they are', async () => {
    const { address } = await memcached({ flags: ['-l', '0.0.0.0'] })
    expect(await only(address)).toMatchObject({
      code: 'exposed',
      severity: 'danger',
      remedy: expect.stringMatching(/-l 127.0.0.1.*nft add rule.*-Y/),
    })
  })

  test('memcached 1.5, which has no meta protocol', async () => {
    const { address } = await ending(asVersion15(await memcached()))
    const { findings } = await doctor(address)
    expect(findings).toMatchObject([
      { code: 'no-meta', severity: 'warning', remedy: expect.stringMatching(/1\.6\.18/) },
      { code: 'version', severity: 'warning', remedy: expect.stringMatching(/1\.6\.18/) },
    ])
    expect((await doctor(address, '--protocol', 'meta')).findings[0]).toMatchObject({ code: 'no-meta', severity: 'danger' })
  })

  test.each(['sasl', 'passwordFile'] as const)('a wrong password (%s)', async (kind) => {
    const { address } = await memcached(credentials[kind]('app', 'right'))
    const wrong = await doctor(address, '--username', 'app', '--password', 'hunter2')
    expect(wrong.findings).toMatchObject([
      { code: 'password-refused', severity: 'danger', remedy: expect.stringMatching(/saslpasswd2.*-Y/) },
    ])
    expect(wrong.output).not.toContain('hunter2')
    expect(await only(address)).toMatchObject({
      code: 'password-needed',
      severity: 'danger',
      remedy: expect.stringMatching(/FIELDWISE_PASSWORD/),
    })
  })

  test('TLS on the other side', async () => {
    const { address } = await memcached({ flags: credentials.tls().flags })
    expect(await only(address)).toMatchObject({
      code: 'tls-needed',
      severity: 'danger',
      remedy: expect.stringMatching(/--tls.*tls: true/),
    })
    expect(await only(address, '--tls')).toMatchObject({
      code: 'certificate',
      severity: 'danger',
      remedy: expect.stringMatching(/--ca <file>/),
    })
  })

  test('TLS on this side alone', async () => {
    const { address } = await memcached()
    const named = await only(address, '--tls', '--timeout', '500ms')
    expect(named).toMatchObject({ code: 'tls-missing', severity: 'danger', remedy: expect.stringMatching(/memcached -Z/) })
  })

  test('HTTP on the port', async () => {
    const { address } = await ending(httpServer())
    expect(await only(address)).toMatchObject({
      code: 'not-memcached',
      severity: 'danger',
      message: expect.stringMatching(/HTTP/),
      remedy: expect.stringMatching(/port/),
    })
  })

  test('nobody there', async () => {
    const [port] = await freePorts(1)
    expect(await only(`127.0.0.1:${port}`)).toMatchObject({
      code: 'unreachable',
      severity: 'danger',
      remedy: expect.stringMatching(/-l.*-p/),
    })
    expect(await only('/nowhere/memcached.sock')).toMatchObject({ code: 'unreachable', remedy: expect.stringMatching(/-s/) })
  })

  test('answers that come late', async () => {
    const { address } = await ending(slowed(await memcached(), 60))
    const slow = await only(address, '--timeout', '500ms')
    expect(slow).toMatchObject({ code: 'slow', severity: 'warning', remedy: expect.stringMatching(/timeout/) })
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
    expect((await doctor(server.address)).findings.at(-1)).toMatchObject({
      code: 'memory',
      severity: 'danger',
      remedy: expect.stringMatching(/-m.*-M/),
    })
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

describe('the doctor finds nothing wrong with', () => {
  const good = async (address: string, ...options: string[]) => {
    const { findings, code, report } = await doctor(address, ...options)
    expect(findings).toEqual([])
    expect(code).toBe(0)
    expect(report).toMatchObject({ dangers: 0, warnings: 0 })
    return report.servers[0]?.facts
  }

  test('memcached as it comes, over IPv4, IPv6 and a unix socket', async () => {
    for (const options of [{}, { host: '::1' }, { unix: true }] as const) {
      const facts = await good((await memcached(options)).address)
      expect(facts).toMatchObject({ version: '1.6.18', protocols: ['meta', 'binary'], itemSize: 1024 * 1024, evictions: 0 })
      expect(facts?.memory.limit).toBe(64 * 1024 * 1024)
    }
  })

  test.each(['sasl', 'passwordFile'] as const)('memcached with a password (%s)', async (kind) => {
    const { address } = await memcached(credentials[kind]('app', 'right'))
    await good(address, '--username', 'app', '--password', 'right')
  })

  test('memcached with TLS, and with TLS and a password on every address', async () => {
    const { flags, ca } = credentials.tls()
    const file = join(folder, 'ca.pem')
    writeFileSync(file, ca)
    // The certificate of this test is good for two days, of which a finding warns.
    const { findings } = await doctor((await memcached({ flags })).address, '--ca', file)
    expect(findings).toMatchObject([{ code: 'certificate-ends', severity: 'warning', message: expect.stringMatching(/ends in/) }])
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
  expect(output).toContain(`${address}  memcached 1.6.18, meta and binary`)
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
