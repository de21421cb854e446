import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { memcachedStore } from './index.js'
import { serversOf } from './servers.js'

test('the servers of a store are told with the labels that its sessions carry', () => {
  const servers = serversOf({ a: 'cache-1', b: '/run/memcached.sock' })
  expect(servers).toMatchObject([
    { label: 'a', address: { host: 'cache-1', port: 11_211 } },
    { label: 'b', address: { path: '/run/memcached.sock' } },
  ])
  const [only] = serversOf('10.0.0.1')
  expect(memcachedStore('10.0.0.1').place(randomUUID())).toMatch(new RegExp(`~${only?.label}$`))
})

test('what memcachedStore refuses is refused', () => {
  expect(() => serversOf('10.0.0.1:0')).toThrow(/port/)
  expect(() => serversOf('10.0.0.1', { timeout: '0s' })).toThrow(/timeout/)
})
