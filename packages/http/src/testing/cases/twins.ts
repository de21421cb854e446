import { expect } from 'vitest'
import type { Case } from '../case.js'

/** Several cookies of one name. */
export const twins: readonly Case[] = [
  {
    title: 'of two cookies with the name the one that opens counts, and neither if both do',
    async run({ visitor, newVisitor }) {
      await visitor.get('/login')
      const own = visitor.cookies.get('session')
      const stranger = newVisitor()
      await stranger.get('/login')
      const foreign = stranger.cookies.get('session')
      const dead = `00000000-0000-4000-8000-000000000000.${'A'.repeat(43)}`
      const whoami = async (cookie: string) => (await newVisitor().get('/whoami', { headers: { cookie } })).body
      expect(await whoami(`session=${dead}; session=${own}`)).toBe('ada')
      expect(await whoami(`session=${own}; session=junk`)).toBe('ada')
      expect(await whoami(`session=${own}; session=${foreign}`)).toBe('undefined')
    },
  },
  {
    title: 'of two cookies that both open, the answer that sets one removes the other, whatever domain or path it was set for',
    options: { cookie: { name: '__Secure-sid', domain: 'shop.localhost' } },
    async run({ newVisitor, sessions }) {
      const host = 'www.shop.localhost'
      const [own, twin] = [await sessions.create({ username: 'ada' }), await sessions.create({ username: 'mallory' })]
      const both = { headers: { cookie: `sid=${twin.token}; sid=${own.token}` } }
      expect((await newVisitor(host).get('/whoami', both)).body).toBe('undefined')
      const visitor = newVisitor(host)
      const { setCookies } = await visitor.get('/login', both)
      expect(setCookies.slice(0, -1)).toEqual([
        'sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax',
        'sid=; Max-Age=0; Domain=www.shop.localhost; Path=/; HttpOnly; SameSite=Lax',
        ...[undefined, 'www.shop.localhost', 'shop.localhost'].map(
          (domain) => `sid=; Max-Age=0; ${domain ? `Domain=${domain}; ` : ''}Path=/login; HttpOnly; SameSite=Lax`,
        ),
      ])
      expect(setCookies.at(-1)).toMatch(/^sid=[^;]+; Domain=shop\.localhost; Path=\/;/)
      const next = await visitor.get('/login')
      expect(next.setCookies).toHaveLength(1)
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'a cookie of the name that opens nothing here may be that of another app, and stays',
    options: { cookie: { name: '__Secure-sid', domain: 'shop.localhost' } },
    async run({ newVisitor, sessions }) {
      const own = await sessions.create()
      const both = { headers: { cookie: `sid=theirs; sid=${own.token}` } }
      expect((await newVisitor('www.shop.localhost').get('/login', both)).setCookies).toHaveLength(1)
    },
  },
  {
    title: 'more cookies of the name than are looked at are all removed by the answer that sets one',
    options: { cookie: { name: '__Secure-sid' } },
    async run({ newVisitor }) {
      const many = Array.from({ length: 5 }, (_, at) => `sid=${at}`).join('; ')
      const { setCookies } = await newVisitor('www.shop.localhost').get('/login', { headers: { cookie: many } })
      expect(setCookies).toContainEqual('sid=; Max-Age=0; Domain=shop.localhost; Path=/; HttpOnly; SameSite=Lax')
    },
  },
  {
    title: 'a cookie of the name that another app has made is warned of',
    async run({ visitor, warnings }) {
      visitor.cookies.set('session', 's%3Atheirs.signature')
      await visitor.get('/whoami')
      expect(await warnings('FIELDWISE_FOREIGN_COOKIE')).toEqual([expect.stringContaining('another port')])
    },
  },
  {
    title: 'another app that replaces the cookie over and over is warned of; sessions from before a restart are not',
    async run({ visitor, newVisitor, warnings }) {
      const unknown = (at: number) => `00000000-0000-4000-8000-00000000000${at}.${'A'.repeat(43)}`
      for (let at = 0; at < 3; at++) {
        expect(await warnings('FIELDWISE_FOREIGN_COOKIE')).toEqual([])
        visitor.cookies.set('session', unknown(at))
        await visitor.get('/visit')
        const back = newVisitor()
        back.cookies.set('session', unknown(0))
        await back.get('/visit')
      }
      expect(await warnings('FIELDWISE_FOREIGN_COOKIE')).toHaveLength(1)
    },
  },
]
