import { expect } from 'vitest'
import { type Case, minute, sidOf } from '../case.js'

/** Tokens that open nothing. */
export const tokens: readonly Case[] = [
  {
    title: 'an expired session reads as unset, and a write begins a new one',
    async run({ visitor, clock }) {
      await visitor.get('/login')
      const token = visitor.cookies.get('session')
      clock.advance(60 * minute)
      const read = await visitor.get('/whoami')
      expect(read.body).toBe('undefined')
      expect(read.setCookies).toEqual([])
      const write = await visitor.get('/visit')
      expect(write.body).toBe('1')
      expect(sidOf(visitor.cookies.get('session'))).not.toBe(sidOf(token))
    },
  },
  {
    title: 'a forged secret of a living session reads as unset, and nothing is written for it',
    async run({ visitor, newVisitor, store }) {
      await visitor.get('/login')
      const forger = newVisitor()
      forger.cookies.set('session', `${sidOf(visitor.cookies.get('session'))}.${'A'.repeat(43)}`)
      const writes = store.writes
      expect((await forger.get('/whoami')).body).toBe('undefined')
      expect(store.writes).toBe(writes)
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'a planted token is never adopted, and what is not even a token costs no I/O',
    async run({ visitor, store }) {
      const planted = `00000000-0000-4000-8000-000000000000.${'A'.repeat(43)}`
      for (const token of [
        planted,
        'x',
        '.',
        'null',
        '%00',
        planted.slice(0, -1),
        `${planted}x`,
        planted.toUpperCase(),
        `"${planted}"`,
      ]) {
        visitor.cookies.set('session', token)
        const before = store.flights.length
        expect((await visitor.get('/whoami')).body).toBe('undefined')
        expect(store.flights.length - before, token).toBeLessThanOrEqual(token === planted ? 1 : 0)
      }
      visitor.cookies.set('session', planted)
      await visitor.get('/visit')
      expect(sidOf(visitor.cookies.get('session'))).not.toBe(sidOf(planted))
    },
  },
]
