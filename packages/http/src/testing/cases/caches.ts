import { expect } from 'vitest'
import type { Case } from '../case.js'
import { cacheHeaders } from '../routes.js'

/** What caches may keep. */
export const caches: readonly Case[] = [
  {
    title: 'no cache that others share keeps an answer that sets the cookie, by whatever header the app speaks to it',
    async run({ visitor }) {
      const first = await visitor.get('/for-caches')
      const second = await visitor.get('/for-caches')
      for (const [name, [said, kept]] of Object.entries(cacheHeaders)) {
        expect(first.headers[name], name).toBe(kept)
        expect(second.headers[name], name).toBe(said)
      }
    },
  },
  {
    title: "the app's own cookies stay, and shared caches keep no answer that sets ours",
    async run({ visitor }) {
      const first = await visitor.get('/cached')
      expect(first.setCookies).toEqual(['theme=dark; Path=/', expect.stringMatching(/^session=/)])
      expect(first.headers['cache-control']).toBe('private, max-age=60')
      const second = await visitor.get('/cached')
      expect(second.setCookies).toEqual(['theme=dark; Path=/'])
      expect(second.headers['cache-control']).toBe('public, max-age=60')
    },
  },
  {
    title: 'an answer that sets the cookie and says nothing of caches is private',
    async run({ visitor }) {
      expect((await visitor.get('/visit')).headers['cache-control']).toBe('private')
      expect((await visitor.get('/visit')).headers['cache-control']).toBeUndefined()
    },
  },
]
