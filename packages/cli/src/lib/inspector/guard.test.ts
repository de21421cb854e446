import { describe, expect, test } from 'vitest'
import { type Asker, areForwarded, type Guard, refusalOf } from './guard.js'

const local: Asker = {
  method: 'GET',
  host: 'localhost:4280',
  address: '127.0.0.1',
  isForwarded: false,
  from: undefined,
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
    { from: 'http://localhost:4280/fieldwise', mode: 'cors' },
    { from: 'https://docs.example/inspector', site: 'cross-site', mode: 'navigate' },
    { site: 'same-origin', mode: 'cors' },
    { site: 'cross-site', mode: 'navigate' },
    { site: undefined, mode: undefined },
  ])('%o', (asker) => {
    expect(refusalOf({ ...local, ...asker }, closed)).toBeUndefined()
  })

  test('whoever asks for a name that was allowed, and from elsewhere if that was allowed', () => {
    expect(refusalOf({ ...local, host: 'Dev.Example.test:80' }, { hosts: ['dev.example.test'], remote: false })).toBeUndefined()
    const elsewhere = { ...local, host: 'dev.example.test', address: '10.0.0.9', isForwarded: true }
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
    { isForwarded: true },
    // A proxy that writes Host anew and adds nothing.
    { from: 'https://shop.example/fieldwise', mode: 'cors' },
    { from: 'https://shop.example', mode: undefined },
    { from: 'null', mode: 'cors' },
    { site: 'cross-site', mode: 'no-cors' },
    { site: 'cross-site', mode: 'cors' },
  ])('%o', (asker) => {
    expect(refusalOf({ ...local, ...asker }, closed)?.status).toBe(403)
  })

  test('from elsewhere by a name that nobody allowed', () => {
    expect(refusalOf({ ...local, host: 'evil.test', address: '10.0.0.9' }, { hosts: [], remote: true })?.status).toBe(403)
  })
})

describe('a request is taken for one that a proxy passed on', () => {
  test.each(['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-real-ip', 'via', 'x-client-ip', 'cf-connecting-ip'])(
    'by its header %s, whatever it says',
    (name) => {
      expect(areForwarded(['host', name])).toBe(true)
    },
  )

  test('and not by those of browsers', () => {
    const names = ['host', 'accept', 'user-agent', 'sec-fetch-site', 'referer', 'origin', 'connection', 'last-event-id', 'dnt']
    expect(areForwarded(names)).toBe(false)
  })
})

test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('%s is refused: there is nothing to change', (method) => {
  expect(refusalOf({ ...local, method }, closed)?.status).toBe(405)
})
