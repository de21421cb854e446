import { expect } from 'vitest'
import type { Case } from '../case.js'
import { serverAddress } from '../scripted-store.js'

/** A store that is down. */
export const outages: readonly Case[] = [
  {
    title: 'while the store is down the answer is 503 with Retry-After, and never an anonymous session',
    async run({ visitor, store }) {
      await visitor.get('/login')
      store.fail()
      for (const path of ['/whoami', '/visit']) {
        const answer = await visitor.get(path)
        expect(answer.status, path).toBe(503)
        expect(answer.headers['retry-after'], path).toMatch(/^\d+$/)
        expect(answer.setCookies, path).toEqual([])
      }
      expect((await visitor.get('/untouched')).status).toBe(200)
      store.mend()
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'an outage is told once, with the server, which no visitor sees',
    async run({ visitor, store, warnings }) {
      await visitor.get('/login')
      store.fail()
      for (let round = 0; round < 3; round++) {
        const answer = await visitor.get('/whoami')
        expect(answer.status).toBe(503)
        expect(answer.body + JSON.stringify(answer.headers)).not.toContain(serverAddress)
      }
      expect(await warnings('FIELDWISE_OUTAGE')).toEqual([expect.stringContaining(serverAddress)])
    },
  },
  {
    title: 'an outage that the app answers with a 503 of its own says when to come again, and one that it hides says nothing',
    async run({ visitor, store }) {
      await visitor.get('/login')
      store.fail()
      const busy = await visitor.get('/busy')
      expect([busy.status, busy.headers['retry-after']]).toEqual([503, '1'])
      const hidden = await visitor.get('/write-quietly')
      expect([hidden.body, hidden.headers['retry-after']]).toEqual(['STORE_UNAVAILABLE', undefined])
    },
  },
]
