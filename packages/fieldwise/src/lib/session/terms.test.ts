import { expect, test } from 'vitest'
import * as z from 'zod'
import { World } from '../../../../../test/support/world.js'
import type { Header } from '../format/header.js'
import { assertTerms } from './terms.js'

test('a session whose two times contradict each other by what two clocks differ may still get a new secret', () => {
  const header = { created: 1_000, deadline: 30_900, idle: 30_000 } as Header
  expect(() => assertTerms(header, { lifetime: {} })).not.toThrow()
  expect(() => assertTerms(header, { lifetime: { idle: 60_000 } })).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
})

test('a session that ends while a longer life is given to its fields is reported as expired', async () => {
  const world = new World()
  const web = world.process(z.object({ note: z.string() }), { lifetime: { idle: '1m', absolute: '1m' } })
  const session = await web.sessions.create({ note: 'a' })
  await world.time.advance(59_500)
  web.store.holding = true
  const rotation = session.regenerate({ lifetime: { idle: '2m', absolute: '1h' } }).catch((error) => error)
  await (await world.next(web, 'get @')).deliver()
  await (await world.next(web, 'replace @')).deliver()
  await world.time.advance(600)
  await web.store.release()
  expect(await world.time.run(rotation)).toMatchObject({ code: 'SESSION_GONE', reason: 'expired' })
})
