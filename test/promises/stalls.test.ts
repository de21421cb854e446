import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { createSessions } from '../../packages/fieldwise/src/index.js'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { Memcached } from '../support/memcached.js'
import { count, measured } from '../support/promise.js'
import { Chance, scaled } from '../support/scale.js'

const protocols = ['binary', 'meta'] as const
const schema = z.object({ visits: z.int().default(0) })
const longerThanAnyTimeout = 700

let server: Memcached
beforeEach(async () => {
  server = await Memcached.start()
})
afterEach(() => server[Symbol.asyncDispose]())

describe.each(protocols)('a process that is too busy to listen (%s)', (protocol) => {
  const open = () => createSessions({ schema, store: memcachedStore(server.address, { protocol }) })

  test('does not give up the server that it was connecting to', async () => {
    await using sessions = open()
    const ready = sessions.check()
    compute()
    await ready
    await sessions.check()
  })

  test('hears the answer to what it had asked, and holds nobody to be down', async () => {
    await using sessions = open()
    const session = await sessions.create()
    const visits = session.get('visits')
    await new Promise((resolve) => setImmediate(resolve))
    compute()
    expect(await visits).toBe(0)
    expect(await session.get('visits')).toBe(0)
  })

  test('sends what it had not sent', async () => {
    await using sessions = open()
    const session = await sessions.create()
    const visits = session.increment('visits')
    compute()
    expect(await visits).toBe(1)
  })

  test('fails none of 24 requests beside one that computes', async () => {
    await using sessions = open()
    const requests = Array.from({ length: 24 }, async (_, index) => {
      const session = await sessions.create()
      if (index === 12) compute()
      await session.increment('visits')
      return session.get('visits')
    })
    expect(await Promise.all(requests)).toEqual(requests.map(() => 1))
  })
})

const places = [
  'connecting',
  'greeting',
  'between call and flush',
  'between flush and answer',
  'between round trips',
  'among others',
]
const hows = ['stopped', 'busy'] as const

test('no call fails around the stalls of a process, wherever they hit it', async (context) => {
  const chance = new Chance('stalls')
  // In the suite short ones; in full, as long as a laptop's lid is closed by mistake.
  const longest = scaled(1) > 1 ? 5_000 : 1_000
  const size = scaled(20)
  const stalls = Array.from({ length: size }, (_, index): Stall => {
    const length = Math.round(600 + chance.next() * (longest - 600))
    return {
      where: places[index % places.length] as string,
      how: hows[Math.floor(index / places.length) % 2] as Stall['how'],
      length,
    }
  })
  const shares = Array.from({ length: 8 }, (_, share) => stalls.filter((_stall, index) => index % 8 === share))
  const told = (await Promise.all(shares.map((share, index) => stallIn(protocols[index % 2] as string, share)))).flat()
  const failed = told.filter((one) => one.failed.length > 0)
  measured(context, `${count(told.length)} stalls of 0.6 to ${longest / 1_000} s`, `${failed.length} false outages`)
  expect(failed).toEqual([])
  expect(told).toHaveLength(size)
})

interface Stall {
  readonly where: string
  readonly how: (typeof hows)[number]
  readonly length: number
}

/** What a process of its own tells of its stalls. */
async function stallIn(protocol: string, stalls: readonly Stall[]): Promise<(Stall & { failed: string[] })[]> {
  const program = fileURLToPath(new URL('../support/stalling.mjs', import.meta.url))
  const child = spawn(process.execPath, [program, server.address, protocol, JSON.stringify(stalls)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const told: (Stall & { failed: string[] })[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    const what = JSON.parse(line)
    if (what.stopped === undefined) told.push(what)
    else setTimeout(() => child.kill('SIGCONT'), what.stopped)
  }
  if (child.exitCode === null) await once(child, 'exit')
  return told
}

function compute(): void {
  const end = performance.now() + longerThanAnyTimeout
  while (performance.now() < end);
}
