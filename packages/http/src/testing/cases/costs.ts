import { expect } from 'vitest'
import type { Case } from '../case.js'

/** What a request costs, and what it finds. */
export const costs: readonly Case[] = [
  {
    title: 'a request that never uses its session costs no I/O and sets no cookie',
    async run({ visitor, store }) {
      const answer = await visitor.get('/untouched')
      expect(answer.body).toBe('no session')
      expect(answer.setCookies).toEqual([])
      expect(answer.headers['cache-control']).toBeUndefined()
      await visitor.get('/visit')
      const before = store.flights.length
      await visitor.get('/untouched')
      expect(store.flights).toHaveLength(before)
    },
  },
  {
    title: 'static files and OPTIONS cost no I/O',
    async run({ visitor, store }) {
      await visitor.get('/visit')
      const before = store.flights.length
      expect((await visitor.get('/static/shop.css')).body).toContain('teal')
      const options = await visitor.send('/untouched', { method: 'OPTIONS' })
      expect(options.setCookies).toEqual([])
      expect(store.flights).toHaveLength(before)
    },
  },
  {
    title: 'reading what was never written gives the default, stores nothing and sets no cookie',
    async run({ visitor, store }) {
      const answer = await visitor.get('/visits')
      expect(answer.body).toBe('0')
      expect(answer.setCookies).toEqual([])
      expect(store.flights).toEqual([])
    },
  },
  {
    title: 'the first write sets the cookie, and the next request finds what was written',
    async run({ visitor }) {
      const first = await visitor.get('/visit')
      expect(first.body).toBe('1')
      expect(first.setCookies).toEqual([expect.stringMatching(/^session=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/)])
      const second = await visitor.get('/visit')
      expect(second.body).toBe('2')
      expect(second.setCookies).toEqual([])
    },
  },
  {
    title: 'a request that only reads writes nothing, and its first read is one flight',
    async run({ visitor, store }) {
      await visitor.get('/visit')
      const [flights, writes] = [store.flights.length, store.writes]
      expect((await visitor.get('/visits')).body).toBe('1')
      expect(store.flights.length - flights).toBe(1)
      expect(store.writes).toBe(writes)
    },
  },
  {
    title: 'parallel requests of one visitor all count',
    async run({ visitor }) {
      await visitor.get('/visit')
      const answers = await Promise.all(Array.from({ length: 32 }, () => visitor.get('/visit')))
      expect(answers.map(({ body }) => Number(body)).sort((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, at) => at + 2))
    },
  },
  {
    title: 'HEAD sets the cookie as GET does',
    async run({ visitor }) {
      const answer = await visitor.send('/visit', { method: 'HEAD' })
      expect(answer.body).toBe('')
      expect(answer.setCookies).toHaveLength(1)
      expect((await visitor.get('/visits')).body).toBe('1')
    },
  },
  {
    title: "what no route answers is the framework's 404, without a cookie",
    async run({ visitor }) {
      const answer = await visitor.get('/nowhere')
      expect(answer.status).toBe(404)
      expect(answer.setCookies).toEqual([])
    },
  },
]
