import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { isFieldwiseError } from '../../packages/fieldwise/src/lib/api/errors.js'
import type { RegenerateOptions } from '../../packages/fieldwise/src/lib/api/session.js'
import type { SessionOf } from '../../packages/fieldwise/src/lib/api/sessions.js'
import type { TokenChange } from '../../packages/fieldwise/src/lib/api/token-sink.js'
import { resumeFor } from '../../packages/fieldwise/src/lib/session/sessions.js'
import { everyChoice } from '../support/interleavings.js'
import { count, measured } from '../support/promise.js'
import { scaled } from '../support/scale.js'
import { turn } from '../support/virtual-time.js'
import { type Process, World } from '../support/world.js'
import { type Drive, inAnyOrder, play, type Settled, scene, settled, withFaults } from './scene.js'

const schema = z.object({ username: z.string(), visits: z.int().default(0) })
type Web = Process<typeof schema>
type Session = SessionOf<Web['sessions']>
const minute = 60_000

/** A visitor with one cookie: every response that sets one replaces it. */
class Browser {
  token: string
  /** All tokens that were issued, in order. */
  readonly issued: string[] = []

  constructor(token: string) {
    this.token = token
  }

  /** A request that leaves now, with the cookie as it is. */
  request(process: Web): Session {
    const changed = (change: TokenChange) => {
      if (change.type === 'ended') throw new Error('the cookie was cleared')
      if (change.type === 'issued') this.issued.push(change.token)
      this.token = change.token
    }
    return resumeFor(process.sessions, [this.token], { beforeChange() {}, changed })
  }
}

/** What another request of the visitor does beside the one that rotates. */
interface Deed {
  readonly what: string
  run(session: Session): Promise<unknown>
  /** How often `visits` was counted, if this was acknowledged. */
  readonly counts?: number
}

const deeds: readonly Deed[] = [
  { what: 'a read', run: (session) => session.get('username') },
  { what: 'a read of all', run: (session) => session.getAll() },
  { what: 'a first write', run: (session) => session.increment('visits'), counts: 1 },
  { what: 'a blind write', run: (session) => session.set('username', 'ada') },
  { what: 'another rotation', run: (session) => session.regenerate() },
  { what: 'a rotation with grace', run: (session) => session.regenerate({ grace: '10s' }) },
  { what: 'a rotation with a longer life', run: (session) => session.regenerate({ lifetime: { idle: '1h' } }) },
]

interface Plot {
  readonly deed: Deed
  readonly inOneProcess: boolean
  /** The other request was verified before; it does not come with nothing but its token. */
  readonly isVerified: boolean
  readonly options?: RegenerateOptions
  /** The cookie has a Max-Age, and the header is due to be touched. */
  readonly isPersistent?: boolean
}

async function playPlot(plot: Plot, drive: Drive): Promise<void> {
  const stage = scene(schema, 1, plot.inOneProcess)
  const { world, here, others } = stage
  const made = await here.sessions.create({ username: 'ada' }, { persist: plot.isPersistent ?? false })
  const old = made.token as string
  const browser = new Browser(old)
  if (plot.isPersistent) await world.time.advance(10 * minute)
  const [login, other] = [browser.request(here), browser.request(others[0] as Web)]
  if (plot.isVerified) await other.has('username')
  await turn()
  const outcomes = await play(stage, drive, () => [settled(login.regenerate(plot.options)), settled(plot.deed.run(other))])
  for (const { error } of outcomes) if (error !== undefined && !isFieldwiseError(error)) throw error
  const [rotated, done] = outcomes as [Settled, Settled]
  await check(world, here, { plot, old, browser, made, rotated, done })
}

interface Played {
  readonly plot: Plot
  readonly old: string
  readonly browser: Browser
  readonly made: Session
  readonly rotated: Settled
  readonly done: Settled
}

async function check(world: World, process: Web, { plot, old, browser, made, rotated, done }: Played): Promise<void> {
  if (browser.issued.length > 1) throw new Error('two requests issued a cookie')
  const { visits, username } = await made.getAll()
  if (username !== 'ada') throw new Error('a field was changed by the rotation')
  if (plot.deed.counts !== undefined && done.error === undefined && visits !== 1) throw new Error('an acknowledged write is lost')
  if (done.error !== undefined && !isFieldwiseError(done.error, 'OUTCOME_UNKNOWN') && visits !== 0)
    throw new Error('a failed write was applied')
  if (browser.issued.length === 1) {
    if ((await process.sessions.open(browser.token)) === null) throw new Error('the visitor was logged out')
    await world.time.advance(10_000)
    if ((await process.sessions.open(old)) !== null) throw new Error('the old token still opens the session')
    return
  }
  // The answer was lost: with luck nothing was changed; otherwise the visitor begins anew, after a minute at the latest.
  if (rotated.error === undefined && done.error === undefined) throw new Error('nobody issued a cookie')
  await world.time.advance(minute)
  await browser.request(process).set('username', 'ada')
  if ((await process.sessions.open(browser.token)) === null) throw new Error('the visitor is locked out')
}

/** All of them at full size; in the suite each kind of process and of plot once. */
function plotsOf(deed: Deed): Plot[] {
  const all = [false, true].flatMap((inOneProcess) =>
    [false, true].flatMap((isVerified): Plot[] => [
      { deed, inOneProcess, isVerified },
      { deed, inOneProcess, isVerified, options: { grace: '10s' } },
      { deed, inOneProcess, isVerified, isPersistent: true },
    ]),
  )
  const isOne = ({ inOneProcess, isVerified, options, isPersistent }: Plot) =>
    options || isPersistent ? !inOneProcess && isVerified : inOneProcess !== isVerified
  return scaled(1) > 1 ? all : all.filter(isOne)
}

describe('a rotation logs nobody out and locks nobody out, and ends the old token', () => {
  // The last one stores every field anew, and alone takes as long as all others together.
  test.for(scaled(1) > 1 ? deeds : deeds.slice(0, -1))(
    'in every order of its requests and those of $what, and with every fault',
    async (deed, context) => {
      let plays = 0
      for (const plot of plotsOf(deed)) {
        plays += await everyChoice((choose) => playPlot(plot, inAnyOrder(choose)))
        plays += await everyChoice((choose) => playPlot(plot, withFaults(choose)))
      }
      measured(context, `${count(plays)} orders`, '0 visitors logged out or locked out')
      expect(plays).toBeGreaterThan(10)
    },
  )
})

describe('a late request', () => {
  const late: readonly (readonly [what: string, run: (session: Session) => Promise<unknown>])[] = [
    ['reads', (session) => session.getAll()],
    ['writes', (session) => session.set('username', 'eve')],
    ['rotates', (session) => session.regenerate()],
    ['logs out', (session) => session.destroy()],
  ]

  test.for(late)('that %s with the old cookie never replaces the newer one, nor harms the session', async ([, run], context) => {
    const rounds = scaled(100)
    for (let round = 0; round < rounds; round++) {
      const world = new World()
      const web = world.process(schema)
      const made = await web.sessions.create({ username: 'ada' })
      const browser = new Browser(made.token as string)
      const [login, request] = [browser.request(web), browser.request(web)]
      await login.regenerate()
      await world.time.advance((round * 59_999) / rounds)
      const another = browser.token === made.token ? undefined : resumeFor(web.sessions, [made.token as string], refusing)
      await settled(run(request))
      await settled(run(another as Session))
      expect(browser.issued).toEqual([browser.token])
      expect(await (await web.sessions.open(browser.token))?.get('username')).toBe('ada')
    }
    measured(context, `${2 * rounds} late requests`, '0 cookies replaced')
  })

  const refusing = {
    beforeChange() {},
    changed() {
      throw new Error('a late request sent a cookie')
    },
  }
})
