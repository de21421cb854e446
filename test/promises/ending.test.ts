import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { isFieldwiseError } from '../../packages/fieldwise/src/lib/api/errors.js'
import type { SessionOf } from '../../packages/fieldwise/src/lib/api/sessions.js'
import { everyChoice } from '../support/interleavings.js'
import { count, measured } from '../support/promise.js'
import { scaled, sized } from '../support/scale.js'
import { turn } from '../support/virtual-time.js'
import type { Process, World } from '../support/world.js'
import { type Drive, inAnyOrder, play, scene, settled, withFaults } from './scene.js'

const schema = z.object({ username: z.string(), visits: z.int().default(0), note: z.string() })
type Web = Process<typeof schema>
type Session = SessionOf<Web['sessions']>
const minute = 60_000

/** What another request does while the session is ended. */
interface Deed {
  readonly what: string
  run(session: Session): Promise<unknown>
}

const deeds: readonly Deed[] = [
  { what: 'set', run: (session) => session.set('username', 'eve') },
  { what: 'update', run: (session) => session.update('username', (name) => `${name}!`) },
  { what: 'first write', run: (session) => session.increment('visits') },
  { what: 'take', run: (session) => session.take('username') },
  { what: 'delete', run: (session) => session.delete('username') },
  { what: 'regenerate', run: (session) => session.regenerate() },
  { what: 'regenerate with a longer life', run: (session) => session.regenerate({ lifetime: { idle: '6h' } }) },
]

/** A read after which the header and the fields are to be touched. */
const renewal: Deed = { what: 'renewal', run: (session) => session.get('username') }

const ends = [
  { what: 'destroy', run: (session: Session) => session.destroy() },
  { what: 'revoke', run: (session: Session, web: Web) => web.sessions.revoke(session.id as string) },
] as const

interface Plot {
  readonly end: (typeof ends)[number]
  readonly deeds: readonly Deed[]
  /** All requests are served by one process, or each by one of its own. */
  readonly inOneProcess?: boolean
  /** The other requests have only their token when they begin. */
  readonly areLazy?: boolean
}

/** Ends a session while other things are done to it, and checks that it stays ended. */
async function playPlot({ end, deeds, inOneProcess, areLazy }: Plot, drive: Drive): Promise<void> {
  const stage = scene(schema, deeds.length, inOneProcess)
  const { world, here, others } = stage
  const made = await here.sessions.create({ username: 'ada' })
  const token = made.token as string
  const doers = await Promise.all(others.map((process) => request(process, token, areLazy ?? false)))
  if (deeds.includes(renewal)) await untilRenewalIsDue(world, made)
  const [ended, ...done] = await play(stage, drive, () => [
    settled(end.run(made, here)),
    ...deeds.map((deed, index) => settled(deed.run(doers[index] as Session))),
  ])

  const error = ended?.error
  if (error !== undefined && !isFieldwiseError(error)) throw error
  if (error !== undefined && (await world.stored(`${made.id}:@`)) !== undefined) return
  if ((await world.stored(`${made.id}:@`)) !== undefined) throw new Error('the session was revived')
  for (const { error } of done) if (error !== undefined && !isFieldwiseError(error)) throw error
  for (const doer of doers) await assertGone(here, doer, made.id as string)
}

async function request(process: Web, token: string, isLazy: boolean): Promise<Session> {
  const session = process.sessions.resume(token)
  if (!isLazy) await session.has('username')
  return session
}

/** The header is touched a last time, without the fields. Their renewal comes with the next use. */
async function untilRenewalIsDue(world: World, session: Session): Promise<void> {
  await world.time.advance(16 * minute)
  await session.get('username')
  await turn()
  await world.time.advance(16 * minute)
}

/** Whoever held the session cannot use it, nor does its token open it. One that had not opened it may have begun a new one. */
async function assertGone(process: Web, doer: Session, sid: string): Promise<void> {
  if (doer.id !== undefined && doer.id !== sid) return
  if (doer.token !== undefined && (await process.sessions.open(doer.token)) !== null) throw new Error('the session opens')
  const later = await settled(doer.set('note', 'late'))
  if (doer.id === sid && !isFieldwiseError(later.error, 'SESSION_GONE')) throw new Error('a later write was not SESSION_GONE')
}

async function playAll(plot: Omit<Plot, 'end'>): Promise<number[]> {
  const plays: number[] = []
  for (const end of ends) {
    plays.push(
      await everyChoice((choose) => playPlot({ end, ...plot }, inAnyOrder(choose))),
      await everyChoice((choose) => playPlot({ end, ...plot }, withFaults(choose))),
    )
  }
  return plays
}

describe('destroy and revoke end a session for good: 0 revivals', () => {
  test.for([...deeds, renewal])(
    'in every order of their requests and those of $what, and with every fault',
    async (deed, context) => {
      const plays: number[] = []
      for (const inOneProcess of sized([false, true], [false])) {
        const lazinesses = scaled(1) > 1 ? [false, true] : [inOneProcess]
        for (const areLazy of lazinesses) plays.push(...(await playAll({ deeds: [deed], inOneProcess, areLazy })))
      }
      measured(context, `${count(plays.reduce((sum, one) => sum + one))} orders`, '0 revivals')
      expect(Math.min(...plays)).toBeGreaterThan(1)
    },
  )

  test('in every order of their flights and those of two other requests', async (context) => {
    let plays = 0
    for (const [index, first] of deeds.entries()) {
      for (const second of deeds.slice(index, scaled(1) > 1 ? deeds.length : index + 2)) {
        for (const end of sized(ends, ends.slice(0, 1))) {
          plays += await everyChoice((choose) => playPlot({ end, deeds: [first, second] }, withFaults(choose, 0)))
        }
      }
    }
    measured(context, `${count(plays)} orders`, '0 revivals')
    expect(plays).toBeGreaterThan(500)
  })
})
