import { describe, expect, test } from 'vitest'
import { type Asker, type Guard, refusalOf } from './guard.js'

const local: Asker = {
  method: 'GET',
  host: 'localhost:4280',
  address: '127.0.0.1',
  forwardedFor: undefined,
  site: 'none',
  mode: 'navigate',
}
const closed: Guard = { hosts: [], remote: false }

describe('may look:', () => {
  test.each<Partial<Asker>>([
    {},
    { method: 'HEAD' },
    { host: '127.0.0.1:4280' },
    { host: '127.8.9.10' },
    { host: '[::1]:4280' },
    { host: 'LOCALHOST' },
    { host: 'shop.localhost:80' },
    { address: '::1' },
    { address: '::ffff:127.0.0.1' },
    { address: undefined },
    { forwardedFor: '127.0.0.1, ::1' },
    { site: 'same-origin', mode: 'cors' },
    { site: 'cross-site', mode: 'navigate' },
    { site: undefined, mode: undefined },
  ])('%o', (asker) => {
    expect(refusalOf({ ...local, ...asker }, closed)).toBeUndefined()
  })

  test('whoever asks for a name that was allowed, and from elsewhere if that was allowed', () => {
    expect(refusalOf({ ...local, host: 'Dev.Example.test:80' }, { hosts: ['dev.example.test'], remote: false })).toBeUndefined()
    const elsewhere = { ...local, host: 'dev.example.test', address: '10.0.0.9', forwardedFor: '10.1.1.1' }
    expect(refusalOf(elsewhere, { hosts: ['dev.example.test'], remote: true })).toBeUndefined()
  })
})

describe('may not look:', () => {
  test.each<Partial<Asker>>([
    // DNS rebinding: the attacker's name, with the address of this machine.
    { host: 'evil.test:4280' },
    { host: 'localhost.evil.test' },
    { host: 'evil.test#localhost' },
    { host: 'localhost@evil.test' },
    { host: '127.0.0.1.evil.test' },
    { host: '0.0.0.0:4280' },
    { host: '10.0.0.1' },
    { host: '' },
    { host: undefined },
    { address: '10.0.0.9' },
    { address: '::ffff:10.0.0.9' },
    { forwardedFor: '10.0.0.9' },
    { forwardedFor: '127.0.0.1, 10.0.0.9' },
    { site: 'cross-site', mode: 'no-cors' },
    { site: 'cross-site', mode: 'cors' },
  ])('%o', (asker) => {
    expect(refusalOf({ ...local, ...asker }, closed)?.status).toBe(403)
  })

  test('from elsewhere by a name that nobody allowed', () => {
    expect(refusalOf({ ...local, host: 'evil.test', address: '10.0.0.9' }, { hosts: [], remote: true })?.status).toBe(403)
  })
})

test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('%s is refused: there is nothing to change', (method) => {
  expect(refusalOf({ ...local, method }, closed)?.status).toBe(405)
})
