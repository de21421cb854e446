import type { Store } from 'fieldwise/store-contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Credentials } from '../../../../../test/support/credentials.js'
import { complaint, Flyer, told } from '../../../../../test/support/flights.js'
import { Memcached, type MemcachedOptions as Program, textCommand } from '../../../../../test/support/memcached.js'
import { binaryReply, type Protocol, replies, ScriptedServer } from '../../../../../test/support/scripted-server.js'
import { type MemcachedOptions, memcachedStore } from '../../index.js'

let credentials: Credentials
const ends: AsyncDisposable[] = []

beforeEach(() => {
  credentials = new Credentials()
})

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end[Symbol.asyncDispose]()
  credentials[Symbol.dispose]()
})

async function memcached(options?: Program): Promise<Memcached> {
  const server = await Memcached.start(options)
  ends.push(server)
  return server
}

function storeFor(address: string, options: MemcachedOptions): Store {
  const store = memcachedStore(address, { timeout: '2s', ...options })
  ends.push({ [Symbol.asyncDispose]: () => store.close() })
  return store
}

async function works(address: string, options: MemcachedOptions): Promise<void> {
  const session = new Flyer(storeFor(address, options))
  expect(await session.told(session.add('a', 'value'), session.get('a'))).toEqual(['stored', 'found value'])
}

/** What the first call to a server that cannot be used is answered with. */
async function refusal(address: string, options: MemcachedOptions): Promise<string> {
  const session = new Flyer(storeFor(address, options))
  const [answer] = (await session.fly([session.get('a')])).answers
  expect(told(answer)).toBe('unsent STORE_UNAVAILABLE')
  return complaint(answer)
}

const protocols: readonly Protocol[] = ['binary', 'meta']

describe.each(protocols)('a %s connection reaches', (protocol) => {
  test('memcached over IPv4, IPv6 and a unix socket', async () => {
    for (const options of [{}, { host: '::1' }, { unix: true }] as const)
      await works((await memcached(options)).address, { protocol })
  })

  test('memcached by a host name', async () => {
    const { port } = await memcached()
    await works(`localhost:${port}`, { protocol })
  })
})

describe.each(protocols)('a %s connection learns at its beginning', (protocol) => {
  test('the largest item, so that the largest value is exact to the byte', async () => {
    for (const size of ['1m', '512k', '4m']) {
      const { address } = await memcached({ flags: ['-I', size] })
      const session = new Flyer(storeFor(address, { protocol }))
      await session.fly([])
      const largest = session.store.largestValue(session.sid, session.key('a').length)
      for (const [length, stored] of [
        [largest - 1, 'stored'],
        [largest, 'stored'],
        [largest + 1, 'unsent VALUE_TOO_LARGE'],
      ] as const) {
        await session.told(session.delete('a'), session.add('a', 'old'))
        expect(await session.told(session.replace('a', Buffer.alloc(length)))).toEqual([stored])
        if (length > largest) expect(await session.told(session.get('a'))).toEqual(['found old'])
      }
      // The bound is memcached's own, not one below it.
      const tooLarge = `set k 0 0 ${session.store.largestValue(session.sid, 1) + 1}\r\n${'x'.repeat(session.store.largestValue(session.sid, 1) + 1)}`
      expect(await textCommand(ends[ends.length - 2] as Memcached, tooLarge)).toMatch(/^SERVER_ERROR object too large/)
    }
  })

  test('the clock of the server, at most a second behind and never ahead', async () => {
    const server = await memcached()
    const session = new Flyer(storeFor(server.address, { protocol }))
    const timeOf = async () => Number(/STAT time (\d+)/.exec(await textCommand(server, 'stats', 'END\r\n'))?.[1]) * 1_000
    const before = await timeOf()
    const { serverTime: at } = await session.fly([session.get('a')])
    expect(at).toBeGreaterThanOrEqual(before)
    expect(at).toBeLessThan((await timeOf()) + 1_000)
    expect(await session.store.now(session.sid, Number.POSITIVE_INFINITY)).toBeGreaterThanOrEqual(at as number)
  })
})

describe.each(protocols)('a %s connection refuses, saying what to change,', (protocol) => {
  test('memcached -C, which gives items no version', async () => {
    const { address } = await memcached({ flags: ['-C'] })
    expect(await refusal(address, { protocol })).toMatch(/memcached -C.*start it without -C/)
  })

  test('memcached with a slab_chunk_max that would crash it', async () => {
    const server = await memcached({ flags: ['-I', '4k', '-o', 'slab_chunk_max=2'] })
    expect(await refusal(server.address, { protocol })).toMatch(/would crash.*slab_chunk_max/)
    expect(await textCommand(server, 'version')).toMatch(/^VERSION/)
  })

  test('memcached that has no connection left', async () => {
    const { address } = await memcached({ flags: ['-c', '16', '-t', '1'] })
    // Each store that still gets a connection keeps it.
    for (let taken = 0; taken <= 16; taken++) {
      const session = new Flyer(storeFor(address, { protocol }))
      const [answer] = (await session.fly([session.get('a')])).answers
      if (told(answer) === 'missing') continue
      expect(told(answer)).toBe('unsent STORE_UNAVAILABLE')
      return expect(complaint(answer)).toMatch(/no connection left.*memcached -c/)
    }
    expect.fail('memcached -c 16 took 17 connections')
  })

  test('an HTTP server', async () => {
    const server = await ScriptedServer.raw((peer) => {
      peer.socket.once('data', () => peer.send('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'))
    })
    ends.push(server)
    expect(await refusal(server.address, { protocol })).toMatch(/not memcached: an HTTP server/)
  })

  test('a server that takes connections and says nothing, within the timeout', async () => {
    const server = await ScriptedServer.raw(() => {})
    ends.push(server)
    const begun = performance.now()
    expect(await refusal(server.address, { protocol, timeout: '300ms' })).toMatch(/did not (answer in time|say what it is)/)
    expect(performance.now() - begun).toBeLessThan(2_000)
  })

  test('a server that closes connections at once', async () => {
    const server = await ScriptedServer.raw((peer) => peer.end())
    ends.push(server)
    expect(await refusal(server.address, { protocol })).toMatch(
      /closes connections before it says what it is: memcached -.*a proxy such as twemproxy/,
    )
  })

  test('a port where nobody listens, a socket that is not there, and a name that does not resolve', async () => {
    const gone = await ScriptedServer.raw(() => {})
    const { address } = gone
    await gone[Symbol.asyncDispose]()
    expect(await refusal(address, { protocol })).toMatch(/refuses connections: is memcached running/)
    expect(await refusal('/nowhere/memcached.sock', { protocol })).toMatch(/no socket at this path/)
    expect(await refusal('no-such-host.invalid', { protocol, timeout: '10s' })).toMatch(
      /host name does not resolve|could not be reached/,
    )
  })

  test.each([
    ['item_size_max in `stats settings`', { settings: { item_size_max: '' } }],
    ['time in `stats`', { stats: { time: 'soon' } }],
  ])('a server that does not tell its %s, as a proxy does', async (name, told) => {
    const server = await ScriptedServer.start({ protocol, script: () => {}, ...told })
    ends.push(server)
    expect(await refusal(server.address, { protocol })).toContain(`does not tell its ${name}`)
  })

  test.each([
    ['item_size_max', { settings: { item_size_max: String(2 ** 30 + 1) } }],
    ['time', { stats: { time: '281474976711' } }],
    ['time', { stats: { time: '9'.repeat(400) } }],
  ])('a server that tells a %s that none has', async (name, told) => {
    const server = await ScriptedServer.start({ protocol, script: () => {}, ...told })
    ends.push(server)
    expect(await refusal(server.address, { protocol })).toContain(`tells a ${name} in \`stats`)
    await expect(storeFor(server.address, { protocol }).now('uuid~x', 1)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })

  test('a server that refuses `stats`', async () => {
    const server = await ScriptedServer.start({
      protocol,
      script: () => {},
      greet: (request, peer) => {
        if (request.word !== 'stats' && request.word !== '0x10') return false
        peer.send(protocol === 'binary' ? binaryReply(request, { status: 0x81 }) : 'ERROR\r\n')
        return true
      },
    })
    ends.push(server)
    expect(await refusal(server.address, { protocol })).toMatch(/refuses `stats`.*allow the command/)
  })

  test('memcached as a proxy, behind which no version holds', async () => {
    const server = await ScriptedServer.start({ protocol, script: () => {}, stats: { proxy_conn_requests: '3' } })
    ends.push(server)
    expect(await refusal(server.address, { protocol })).toMatch(/is memcached as a proxy.*connect to the servers behind it/)
  })

  test('what does not end: statistics by the thousand', async () => {
    const server = await ScriptedServer.start({
      protocol,
      script: () => {},
      stats: Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`stat${index}`, '1'])),
    })
    ends.push(server)
    expect(await refusal(server.address, { protocol })).toMatch(/without end|does not fit/)
  })
})

describe('passwords', () => {
  const password = 'p:w@d/ä%20'

  test('are given to memcached -S (SASL PLAIN) by the binary protocol', async () => {
    const { address } = await memcached(credentials.sasl('app', password))
    await works(address, { username: 'app', password })
  })

  test('are given to memcached -Y by the meta protocol', async () => {
    const { address } = await memcached(credentials.passwordFile('app@host', password))
    await works(address, { protocol: 'meta', username: 'app@host', password })
  })

  test('are asked for before anything is sent that a server closes on: memcached takes no line under 6 bytes before them', async () => {
    const server = await ScriptedServer.start({
      protocol: 'meta',
      login: 'app secret',
      script: (request, peer) => peer.send(replies.meta.missing(request)),
    })
    ends.push(server)
    const session = new Flyer(storeFor(server.address, { protocol: 'meta', username: 'app', password: 'secret' }))
    expect(await session.told(session.get('a'))).toEqual(['missing'])
    await session.store.check(Number.POSITIVE_INFINITY)
    expect(server.peers).toHaveLength(1)
    const wrong = { protocol: 'meta', username: 'app', password: 'hunter2' } as const
    expect(await refusal(server.address, wrong)).toMatch(/refuses this username and password/)
    expect(await refusal(server.address, { protocol: 'meta' })).toMatch(/asks for a password.*give username and password/)
  })

  test('that are wrong, or not given, are said to be so, and never repeated', async () => {
    const sasl = await memcached(credentials.sasl('app', password))
    const file = await memcached(credentials.passwordFile('app', password))
    const wrong = { username: 'app', password: 'hunter2' }
    for (const [address, protocol] of [
      [sasl.address, 'binary'],
      [file.address, 'meta'],
    ] as const) {
      const refused = await refusal(address, { protocol, ...wrong })
      expect(refused).toMatch(/refuses this username and password/)
      expect(refused).not.toMatch(/hunter2|app/)
      expect(await refusal(address, { protocol })).toMatch(/asks for a password.*give username and password/)
    }
  })

  test('are not sent to a server that asks for none: it is used without, and holds nothing of them', async () => {
    const server = await memcached()
    for (const protocol of protocols) await works(server.address, { protocol, username: 'app', password })
    expect(await textCommand(server, 'get auth')).toBe('END\r\n')
    const seen: Buffer[] = []
    for (const protocol of protocols) {
      const scripted = await ScriptedServer.start({ protocol, script: () => {} })
      ends.push(scripted)
      await new Flyer(storeFor(scripted.address, { protocol, username: 'app', password: 'hunter2' })).fly([])
      seen.push(...scripted.peers.map((peer) => peer.received))
    }
    expect(Buffer.concat(seen).toString('latin1')).not.toContain('hunter2')
  })

  test('need PLAIN among the mechanisms of the server', async () => {
    const server = await ScriptedServer.start({
      protocol: 'binary',
      script: () => {},
      greet: (request, peer) => {
        if (request.word !== '0x20') return false
        peer.send(binaryReply(request, { value: 'CRAM-MD5 SCRAM-SHA-1' }))
        return true
      },
    })
    ends.push(server)
    expect(await refusal(server.address, { username: 'a', password: 'b' })).toMatch(/no SASL PLAIN.*mech_list/)
  })

  test('of the other kind: the protocol to take is named', async () => {
    const sasl = await memcached(credentials.sasl('app', password))
    const file = await memcached(credentials.passwordFile('app', password))
    expect(await refusal(sasl.address, { protocol: 'meta', username: 'app', password })).toMatch(
      /memcached -S takes protocol: 'binary'/,
    )
    const silent = { username: 'app', password, timeout: '900ms', connectTimeout: '500ms' } as const
    expect(await refusal(file.address, silent)).toMatch(/-Y.* take protocol: 'meta'/)
  })
})

describe('TLS', () => {
  test('works with a certificate that is trusted', async () => {
    const { flags, ca } = credentials.tls()
    const { address, port } = await memcached({ flags })
    await works(address, { protocol: 'meta', tls: { ca } })
    await works(`localhost:${port}`, { protocol: 'meta', tls: { ca } })
  })

  test('works with a password file', async () => {
    const { flags, ca } = credentials.tls()
    const file = credentials.passwordFile('app', 'secret')
    const { address } = await memcached({ flags: [...flags, ...file.flags] })
    await works(address, { protocol: 'meta', tls: { ca }, username: 'app', password: 'secret' })
  })

  test('refuses a certificate that nobody vouches for, and one for another name', async () => {
    const { flags, ca } = credentials.tls()
    const { address } = await memcached({ flags })
    expect(await refusal(address, { protocol: 'meta', tls: true })).toMatch(/certificate that is not trusted.*tls: \{ ca \}/)
    expect(await refusal(address, { protocol: 'meta', tls: { ca, servername: 'other.example' } })).toMatch(
      /for another host name/,
    )
  })

  test('says where only one side speaks it', async () => {
    const { flags } = credentials.tls()
    const [secure, plain] = [await memcached({ flags }), await memcached()]
    expect(await refusal(secure.address, { protocol: 'meta' })).toMatch(/memcached -Z takes tls/)
    const short = { timeout: '900ms', connectTimeout: '500ms' } as const
    expect(await refusal(secure.address, { ...short })).toMatch(/-Z/)
    expect(await refusal(plain.address, { protocol: 'meta', tls: true, ...short })).toMatch(
      /does not speak TLS: start it with memcached -Z|tls takes memcached -Z/,
    )
    const http = await ScriptedServer.raw((peer) => peer.send('HTTP/1.1 400 Bad Request\r\n\r\n'))
    ends.push(http)
    expect(await refusal(http.address, { protocol: 'meta', tls: true })).toMatch(/does not speak TLS/)
  })
})
