import { expect } from 'vitest'
import type { Case } from '../case.js'

/** Who waits for a write, and who does not. */
export const awaiting: readonly Case[] = [
  {
    title: 'a write that nobody awaited is warned of, once',
    async run({ visitor, store, warnings }) {
      await visitor.get('/visit')
      for (let round = 0; round < 2; round++) {
        const release = store.hold()
        expect((await visitor.get('/forgotten')).body).toBe('sent')
        release()
        await expect.poll(async () => (await visitor.get('/visits')).body).toBe(String(round + 2))
      }
      expect(await warnings('FIELDWISE_NOT_AWAITED')).toEqual([
        expect.stringContaining('session.increment() was still under way'),
      ])
    },
  },
  {
    title: 'a write that was awaited is not warned of, nor a read that was not',
    async run({ visitor, store, signal, warnings }) {
      await visitor.get('/visit')
      const release = store.hold()
      await visitor.get('/forgotten-read')
      release()
      await visitor.get('/write-then-stream', { onData: signal.open })
      await visitor.get('/login')
      await visitor.get('/logout')
      expect(await warnings('FIELDWISE_NOT_AWAITED')).toEqual([])
    },
  },
  {
    title: 'a visitor who hangs up is no error, and what the handler writes is kept',
    async run({ visitor, store, signal }) {
      await visitor.get('/visit')
      const before = store.flights.length
      let hangUp = () => {}
      const aborted = visitor.get('/slow-visit', { onRequest: (sent) => (hangUp = () => sent.destroy()) }).catch((error) => error)
      await signal.reached
      hangUp()
      expect(await aborted).toMatchObject({ code: 'ECONNRESET' })
      await visitor.get('/untouched')
      signal.open()
      await expect.poll(() => store.flights.length).toBeGreaterThan(before)
      await expect.poll(async () => (await visitor.get('/visits')).body).toBe('2')
    },
  },
]
