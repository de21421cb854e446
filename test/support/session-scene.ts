import { beforeEach } from 'vitest'
import * as z from 'zod'
import type { SessionOf } from '../../packages/fieldwise/src/lib/api/sessions.js'
import { type Process, World } from './world.js'

/** A stored session, as a request sees it: a new one for each test of a file that imports this. */

export const schema = z.object({
  username: z.string(),
  cart: z.array(z.object({ sku: z.string(), count: z.int() })).default([]),
  visits: z.int().default(0),
  points: z.number(),
  profile: z.object({ name: z.string().max(5), tags: z.array(z.string()).default([]) }),
  settings: z.object({ theme: z.string(), seen: z.array(z.string()) }).default({ theme: 'light', seen: [] }),
})

export let world: World
export let web: Process<typeof schema>
/** Stored with a `username`. */
export let session: SessionOf<typeof web.sessions>

/** Each test gets a scene of its own. Called once by each file: a module that files share would set it up for the first of them alone. */
export function eachInItsScene(): void {
  beforeEach(async () => {
    world = new World()
    web = world.process(schema)
    session = await web.sessions.create({ username: 'ada' })
    web.store.takeLog()
  })
}

/** What is stored of a field. */
export const stored = (field: string) => world.stored(`${session.id}:${field}`)
