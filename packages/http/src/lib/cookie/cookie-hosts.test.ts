import { describe, expect, test } from 'vitest'
import { checkCookieHosts } from './cookie-hosts.js'

async function codes(hosts: string[], domain?: string): Promise<string[]> {
  return (await checkCookieHosts(hosts, { domain })).map((problem) => problem.code)
}

describe('one host', () => {
  test('always gets back a cookie without a Domain', async () => {
    expect(await codes(['www.example.com'])).toEqual([])
    expect(await codes(['127.0.0.1:3000'])).toEqual([])
    expect(await codes(['localhost'])).toEqual([])
  })

  test('gets back a cookie of its own domain', async () => {
    expect(await codes(['www.example.com'], 'example.com')).toEqual([])
    expect(await codes(['example.com:8443'], 'example.com')).toEqual([])
    expect(await codes(['WWW.Example.COM.'], '.example.com')).toEqual([])
    expect(await codes(['www.fieldwise.localhost:3000'], 'fieldwise.localhost')).toEqual([])
    expect(await codes(['www.bücher.example'], 'xn--bcher-kva.example')).toEqual([])
  })

  test('gets none of another domain, though the names end alike', async () => {
    expect(await codes(['www.example.org'], 'example.com')).toEqual(['domain-does-not-cover-host'])
    expect(await codes(['notexample.com'], 'example.com')).toEqual(['domain-does-not-cover-host'])
    expect(await codes(['example.com'], 'www.example.com')).toEqual(['domain-does-not-cover-host'])
  })

  test('gets no cookie with a Domain if it is an IP address', async () => {
    expect(await codes(['127.0.0.1:3000'], 'example.com')).toEqual(['host-is-address'])
    expect(await codes(['[::1]:3000'], 'example.com')).toEqual(['host-is-address'])
  })

  test.each(['co.uk', 'com', 'github.io', 'vercel.app', 'localhost'])(
    'gets no cookie for %s, where anybody can have a name',
    async (suffix) => {
      expect(await codes([`shop.${suffix}`], suffix)).toEqual(['domain-is-public-suffix'])
    },
  )
})

describe('two hosts', () => {
  test('share a cookie with a Domain that covers both', async () => {
    expect(await codes(['www.example.com', 'avatar.example.com'], 'example.com')).toEqual([])
  })

  test('are told which one a Domain leaves out', async () => {
    const [problem] = await checkCookieHosts(['www.example.com', 'www.example.org'], { domain: 'example.com' })
    expect(problem?.hosts).toEqual(['www.example.org'])
    expect(problem?.message).toContain('Domain=example.com')
    expect(problem?.message).toContain('www.example.org')
  })

  test('without a Domain are told which one to set', async () => {
    const [problem] = await checkCookieHosts(['eu.www.example.co.uk', 'eu.avatar.example.co.uk:8080'])
    expect(problem?.code).toBe('domain-is-missing')
    expect(problem?.message).toContain("cookie.domain to 'example.co.uk'")
  })

  test('one below the other are told the upper one', async () => {
    const [problem] = await checkCookieHosts(['www.example.com', 'example.com'])
    expect(problem?.message).toContain("cookie.domain to 'example.com'")
  })

  test.each([
    ['two IP addresses', '10.0.0.1', '10.0.0.2'],
    ['an address and a name', '127.0.0.1:3000', 'localhost:3000'],
    ['two domains', 'example.com', 'example.org'],
    ['two owners below one public suffix', 'ada.github.io', 'grace.github.io'],
    ['two names below localhost', 'www.localhost', 'avatar.localhost'],
  ])('that are %s have no cookie in common', async (_, one, other) => {
    const [problem] = await checkCookieHosts([one, other])
    expect(problem?.code).toBe('no-common-domain')
  })

  test('that differ by their port alone share everything', async () => {
    expect(await codes(['localhost:3000', 'localhost:3001'])).toEqual([])
  })
})
