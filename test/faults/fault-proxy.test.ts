import { connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { FaultProxy, type FaultProxyOptions, type Link } from '../support/fault-proxy.js'
import { Memcached } from '../support/memcached.js'
import { until } from '../support/until.js'

const ends: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of ends.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

/** A proxy before a server that answers each byte `x` by `X`, and what a client of it saw. */
async function scene(options: Partial<FaultProxyOptions> = {}) {
  const seen: string[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('data', (chunk) => {
      seen.push(chunk.toString())
      socket.write(chunk.toString().toUpperCase())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  ends.push({ [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) })
  const proxy = await FaultProxy.start({ target: `127.0.0.1:${port}`, ...options })
  ends.push(proxy)
  const client = connectTo(proxy)
  await until(() => proxy.links.length === 1)
  return { proxy, client, link: proxy.link, seen: () => seen.join('') }
}

function connectTo(proxy: FaultProxy): Client {
  return new Client(connect({ port: Number(proxy.address.split(':')[1]), host: '127.0.0.1', allowHalfOpen: true }))
}

class Client {
  readonly socket: Socket
  readonly chunks: string[] = []
  how = 'open'

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.chunks.push(chunk.toString()))
    socket.on('end', () => {
      this.how = 'ended'
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.how = error.code ?? 'failed'
    })
  }

  get received(): string {
    return this.chunks.join('')
  }
}

describe('the fault proxy', () => {
  test('passes on both directions as they are', async () => {
    const { client } = await scene()
    client.socket.write('hello')
    await until(() => client.received === 'HELLO')
  })

  test.each(['cut', 'reset'] as const)('%s: after so many bytes of either direction, not one more', async (act) => {
    for (const direction of ['requests', 'replies'] as const) {
      const { client, link, seen } = await scene()
      link.trap(direction, 3, act)
      client.socket.write('hello')
      await until(() => client.how !== 'open')
      // Some kernels hand over what came before a reset and then tell of an end.
      if (act === 'cut') expect(client.how).toBe('ended')
      if (direction === 'replies') expect([seen(), client.received]).toEqual(['hello', act === 'cut' ? 'HEL' : client.received])
      else expect('hel'.startsWith(seen())).toBe(true)
    }
  })

  test('a trap before the first byte lets nothing pass', async () => {
    const { client, link, seen } = await scene()
    link.trap('requests', 0, 'reset')
    client.socket.write('hello')
    await until(() => client.how !== 'open')
    expect([seen(), client.received]).toEqual(['', ''])
  })

  test('half-close: one direction ends, the other goes on', async () => {
    const { client, link, seen } = await scene()
    link.trap('replies', 2, 'half-close')
    client.socket.write('one')
    await until(() => client.how === 'ended')
    expect(client.received).toBe('ON')
    client.socket.write('two')
    await until(() => seen() === 'onetwo')
  })

  test('stall: what is held passes when it is released, even if the client has gone', async () => {
    const { client, link, seen } = await scene()
    link.trap('requests', 2, 'stall')
    client.socket.write('late')
    await until(() => client.received === 'LA')
    client.socket.destroy()
    await until(() => link.isLeft)
    expect(seen()).toBe('la')
    link.release()
    await until(() => seen() === 'late')
  })

  test('slices: bytes pass one by one, in order', async () => {
    const { client, link } = await scene()
    link.replies.singly = 4
    client.socket.write('hello')
    await until(() => client.received === 'HELLO')
    expect(client.chunks.length).toBeGreaterThan(1)
  })

  test('delay: bytes pass later, in order', async () => {
    const { client, link } = await scene()
    const delays = [20, 1]
    link.requests.delay = () => delays.shift() ?? 0
    client.socket.write('one')
    await new Promise((resolve) => setImmediate(resolve))
    client.socket.write('two')
    await until(() => client.received === 'ONETWO')
    expect(delays).toEqual([])
  })

  test('black hole: neither side hears anything, and a later connection neither, until it is healed', async () => {
    const { client, proxy, seen } = await scene()
    proxy.cutOff('black-hole')
    client.socket.write('hello')
    const second = connectTo(proxy)
    second.socket.write('hello')
    await until(() => proxy.links.length === 2)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect([seen(), client.how, second.how, client.received]).toEqual(['', 'open', 'open', ''])
    proxy.heal()
    await until(() => client.how !== 'open' && second.how !== 'open')
    const third = connectTo(proxy)
    third.socket.write('hello')
    await until(() => third.received === 'HELLO')
  })

  test('the end of either side is passed on, behind the bytes before it', async () => {
    const { client, seen } = await scene()
    client.socket.end('bye')
    await until(() => client.how === 'ended')
    expect([seen(), client.received]).toEqual(['bye', 'BYE'])
  })

  test('what is planned happens to each link as it begins', async () => {
    const planned: number[] = []
    const plan = (link: Link) => planned.push(link.index)
    const { proxy } = await scene({ plan })
    connectTo(proxy)
    await until(() => planned.length === 2)
    expect(planned).toEqual([0, 1])
  })
})

describe.each(['binary', 'meta'] as const)('the fault proxy follows requests of the %s protocol', (protocol) => {
  const request = {
    binary: (name: string) => {
      const bytes = Buffer.alloc(24 + name.length)
      bytes[0] = 0x80
      bytes.writeUInt16BE(name.length, 2)
      bytes.writeUInt32BE(name.length, 8)
      bytes.write(name, 24)
      return bytes
    },
    meta: (name: string) => Buffer.from(`mg ${name} v\r\n`),
  }[protocol]

  async function talk(judge: FaultProxyOptions['judge']) {
    const server = await Memcached.start()
    const proxy = await FaultProxy.start({ target: server.address, protocol, ...(judge && { judge }) })
    ends.push(server, proxy)
    return { proxy, client: connectTo(proxy) }
  }

  const answer = protocol === 'binary' ? /Not found$/ : /^EN\r\n$/

  test('and swallows one answer, not its neighbours', async () => {
    const { client, proxy } = await talk(({ key }) => (key === 'b' ? 'swallow' : 'pass'))
    client.socket.write(Buffer.concat(['a', 'b', 'c'].map(request)))
    const length = protocol === 'binary' ? 2 * 33 : 2 * 4
    await until(() => client.received.length >= length)
    expect(client.received).toHaveLength(length)
    expect(proxy.faults).toHaveLength(1)
  })

  test('and loses one request, or its answer, with the link', async () => {
    for (const fate of ['lose', 'swallow and reset'] as const) {
      const { client } = await talk(({ key }) => (key === 'b' ? fate : 'pass'))
      client.socket.write(request('a'))
      await until(() => client.received.length > 0)
      expect(client.received).toMatch(answer)
      client.socket.write(request('b'))
      await until(() => client.how !== 'open')
    }
  })

  test('and delivers one late', async () => {
    const { client, proxy } = await talk(({ key }) => (key === 'b' ? 'hold' : 'pass'))
    client.socket.write(Buffer.concat(['a', 'b'].map(request)))
    await until(() => client.received.length > 0)
    const before = client.received.length
    proxy.release()
    await until(() => client.received.length === 2 * before)
  })
})
