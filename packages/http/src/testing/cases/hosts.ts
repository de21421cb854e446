import { expect } from 'vitest'
import type { Case } from '../case.js'

/** Hosts, HTTPS, and cookies beside each other. */
export const hosts: readonly Case[] = [
  {
    title: 'two kinds of sessions live side by side, each with its cookie',
    async run({ visitor }) {
      await visitor.get('/login')
      await visitor.get('/admin-login')
      expect([...visitor.cookies.keys()]).toEqual(['session', 'admin'])
      expect((await visitor.get('/both')).body).toBe('ada owner')
      await visitor.get('/logout')
      expect((await visitor.get('/both')).body).toBe('undefined owner')
    },
  },
  {
    title: 'over HTTPS that ends at a trusted proxy the cookie is __Host- and Secure',
    without: { 'Hono 4': 'it goes by the URL that the server gives it', fetch: 'it goes by the URL of the Request' },
    async run({ visitor, warnings }) {
      const overTls = { headers: { 'x-forwarded-proto': 'https' } }
      const answer = await visitor.get('/visit', overTls)
      expect(answer.setCookies).toEqual([
        expect.stringMatching(/^__Host-session=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/),
      ])
      expect((await visitor.get('/visits', overTls)).body).toBe('1')
      expect(await warnings('FIELDWISE_PLAIN_HTTP')).toEqual([])
    },
  },
  {
    title: 'over plain HTTP in development the cookie is plain, with one warning, and none on the own machine',
    async run({ newVisitor, warnings }) {
      for (const host of ['localhost', 'www.shop.localhost', '127.0.0.1']) await newVisitor(host).get('/visit')
      expect(await warnings('FIELDWISE_PLAIN_HTTP')).toEqual([])
      await newVisitor('www.shop.example').get('/visit')
      await newVisitor('www.shop.example').get('/visit')
      expect(await warnings('FIELDWISE_PLAIN_HTTP')).toEqual([expect.stringContaining('plain HTTP')])
    },
  },
  {
    title: 'a plain cookie that was asked for needs no warning',
    options: { cookie: { secure: false } },
    async run({ visitor, warnings }) {
      const answer = await visitor.get('/visit')
      expect(answer.setCookies).toEqual([expect.stringMatching(/^session=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/)])
      expect(await warnings('FIELDWISE_PLAIN_HTTP')).toEqual([])
    },
  },
  {
    title: 'one cookie serves all hosts of a domain',
    options: { cookie: { domain: 'shop.localhost' } },
    async run({ visitor, newVisitor, warnings }) {
      const login = await visitor.get('/login')
      expect(login.setCookies).toEqual([expect.stringContaining('; Domain=shop.localhost;')])
      const avatar = newVisitor('avatar.shop.localhost')
      avatar.cookies.set('session', visitor.cookies.get('session') ?? '')
      expect((await avatar.get('/whoami')).body).toBe('ada')
      expect((await avatar.get('/logout')).setCookies).toEqual([expect.stringContaining('; Domain=shop.localhost;')])
      expect(await warnings('FIELDWISE_COOKIE_HOST')).toEqual([])
    },
  },
  {
    title: 'a host that can never send the cookie back is warned of, once, with both names',
    options: { cookie: { domain: 'shop.localhost' } },
    async run({ newVisitor, warnings }) {
      await newVisitor('127.0.0.1').get('/visit')
      await newVisitor('www.example.org').get('/visit')
      const given = await warnings('FIELDWISE_COOKIE_HOST')
      expect(given).toHaveLength(1)
      expect(given[0]).toMatch(/Domain=shop\.localhost from (127\.0\.0\.1|www\.example\.org)/)
    },
  },
  {
    title: 'without a Domain, a second host is told that it has a cookie jar of its own',
    async run({ newVisitor, warnings }) {
      await newVisitor('www.shop.localhost').get('/visit')
      await newVisitor('avatar.shop.localhost').get('/visit')
      expect(await warnings('FIELDWISE_COOKIE_HOST')).toEqual([expect.stringContaining("set cookie.domain to 'shop.localhost'")])
    },
  },
]
