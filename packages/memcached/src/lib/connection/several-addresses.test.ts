import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type LookupFunction } from 'node:net'
import { expect, test } from 'vitest'
import { dialPlain } from './dial.js'
import { warnOfSeveralAddresses } from './several-addresses.js'

interface Found {
  readonly address: string
  readonly family: 4 | 6
}

/** The warnings that connecting to a host name gives, where this is what is found under it. */
async function warnings(host: string, found: readonly Found[], times = 1): Promise<string[]> {
  const said: string[] = []
  const listen = (warning: Error & { code?: string }) => {
    if (warning.code === 'FIELDWISE_SEVERAL_ADDRESSES') said.push(warning.message)
  }
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const lookup = ((_host, _options, callback) => process.nextTick(callback, null, [...found])) as LookupFunction
  process.on('warning', listen)
  try {
    for (let time = 0; time < times; time++) {
      const { port } = server.address() as AddressInfo
      const socket = warnOfSeveralAddresses(connect({ host, port, lookup, autoSelectFamily: true }), host)
      await once(socket, 'connect')
      socket.destroy()
    }
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('warning', listen)
    server.close()
  }
  return said
}

test('a host name with several addresses is warned of once, by name and with what to write', async () => {
  const found = [
    { address: '127.0.0.1', family: 4 },
    { address: '127.0.0.2', family: 4 },
  ] as const
  const said = await warnings('cache.example', found, 2)
  expect(said).toEqual([expect.stringMatching(/'cache\.example' stands for several.*memcachedStore\(\{ a: /)])
})

test('one address of each family is one server', async () => {
  const found = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ] as const
  expect(await warnings('localhost', found)).toEqual([])
})

test('a store watches each host name that it connects to', () => {
  const socket = dialPlain({ host: 'no-such-host.invalid', port: 1 }, () => {})
  socket.on('error', () => {})
  expect(socket.listenerCount('lookup')).toBe(1)
  socket.destroy()
})
