import { expect } from 'vitest'
import type { Case } from '../case.js'

/** What is done after the headers were sent. */
export const streams: readonly Case[] = [
  {
    title: 'a first write after the headers were sent is HEADERS_SENT, and nothing is stored',
    async run({ visitor, store, signal }) {
      const answer = await visitor.get('/stream-then-write', { onData: signal.open })
      expect(answer.body).toBe('begun HEADERS_SENT')
      expect(answer.setCookies).toEqual([])
      expect(store.writes).toBe(0)
    },
  },
  {
    title: 'a rotation after the headers were sent is HEADERS_SENT, and the old token lives on',
    async run({ visitor, signal }) {
      await visitor.get('/login')
      const answer = await visitor.get('/stream-then-rotate', { onData: signal.open })
      expect(answer.body).toBe('begun HEADERS_SENT')
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'an end after the headers were sent is HEADERS_SENT, and the session lives on',
    async run({ visitor, signal }) {
      await visitor.get('/login')
      const answer = await visitor.get('/stream-then-end', { onData: signal.open })
      expect(answer.body).toBe('begun HEADERS_SENT')
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'a stream may write to a session that has its cookie',
    async run({ visitor, signal }) {
      const answer = await visitor.get('/write-then-stream', { onData: signal.open })
      expect(answer.body).toBe('begun done')
      expect(answer.setCookies).toHaveLength(1)
      expect((await visitor.get('/visits')).body).toBe('1')
      expect((await visitor.get('/whoami')).body).toBe('early')
    },
  },
]
