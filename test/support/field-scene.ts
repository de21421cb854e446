import { beforeEach, expect } from 'vitest'
import * as z from 'zod'
import type { SessionOf } from '../../packages/fieldwise/src/lib/api/sessions.js'
import { decodeHeader } from '../../packages/fieldwise/src/lib/format/header.js'
import { decodeItem } from '../../packages/fieldwise/src/lib/format/item.js'
import { type Process, World } from './world.js'

/** A session whose fields two processes write: a new one for each test of a file that imports this. */

export const schema = z.object({
  visits: z.int().default(0),
  points: z.int().default(0),
  cart: z.array(z.string()).default([]),
  note: z.string(),
})
type Web = Process<typeof schema>

export let world: World
export let web: Web
/** Stored with `visits` and `note`. */
export let session: SessionOf<Web['sessions']>
/** The same session, seen by another process. */
export let there: SessionOf<Web['sessions']>
export let other: Web

/** Each test gets a scene of its own. Called once by each file: a module that files share would set it up for the first of them alone. */
export function eachInItsScene(): void {
  beforeEach(async () => {
    world = new World()
    web = world.process(schema)
    other = world.process(schema)
    session = await web.sessions.create({ visits: 0, note: 'first' })
    there = await opened(other)
    web.store.takeLog()
  })
}

/** The session, as another request of a process sees it. */
export async function opened(process: Web): Promise<typeof session> {
  const one = await process.sessions.open(session.token as string)
  if (one === null) throw new Error('the session is not there')
  return one
}

/** All that this process has sent, but for what only reads. */
export const writes = () => web.store.log.filter((request) => !request.startsWith('get'))

export async function manifest(): Promise<ReadonlyMap<string, number>> {
  return decodeHeader((await world.stored(`${session.id}:@`)) as Buffer).manifest
}

export async function itemOf(field: string) {
  return decodeItem(field, (await world.stored(`${session.id}:${field}`)) as Buffer)
}

/** The function of a first change, which makes 1 of 0, gives up a second one of its batch. */
export async function oneGivesUpTheNext(): Promise<void> {
  const controller = new AbortController()
  const first = session.update('visits', (visits) => {
    controller.abort()
    return visits + 1
  })
  const second = session.increment('visits', 100, { signal: controller.signal })
  await expect(second).rejects.toThrow('aborted')
  expect(await first).toBe(1)
}
