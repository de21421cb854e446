import { connect } from 'node:net'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { createSessions, isFieldwiseError } from '../../packages/fieldwise/src/index.js'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { Memcached, textCommand } from '../support/memcached.js'
import { count, measured } from '../support/promise.js'
import { Chance, scaled } from '../support/scale.js'

const names = ['username', 'cart', 'profile', 'flash', 'token'] as const
const schema = z.object(
  Object.fromEntries(names.map((name) => [name, z.string()])) as Record<(typeof names)[number], z.ZodString>,
)

test.for(['binary', 'meta'] as const)(
  'of a memcached that has evicted half of them, every session comes back whole or not at all (%s)',
  async (protocol, context) => {
    const chance = new Chance(`eviction, ${protocol}`)
    const sessionCount = scaled(2_000)
    const megabytes = Math.round((16 * sessionCount) / 2_000)
    await using server = await Memcached.start({ flags: ['-m', `${megabytes}`] })
    await using sessions = createSessions({ schema, store: memcachedStore(server.address, { protocol, timeout: '20s' }) })
    const made = await makeSessions(sessions, sessionCount, chance)
    const { damaged, halved } = await fillUntil(server, sessionCount / 2, made, chance)

    let whole = 0
    let gone = 0
    const halves: string[] = []
    const read = async ({ token, values }: Made, index: number) => {
      const found = await (index % 2 === 0 ? readAll(sessions, token) : preloadAll(sessions, token))
      if (found === undefined) gone++
      else if (names.every((name) => found[name] === values[name])) whole++
      else halves.push(JSON.stringify(names.filter((name) => found[name] !== values[name])))
    }
    for (let first = 0; first < made.length; first += 100) {
      await Promise.all(made.slice(first, first + 100).map((one, index) => read(one, index)))
    }
    measured(
      context,
      `${count(sessionCount)} sessions in ${megabytes} MB, ${count(damaged)} damaged, ${count(halved)} of them but for their header`,
      `${whole} whole, ${gone} gone, ${halves.length} with a field missing`,
    )
    expect(halves).toEqual([])
    expect(halved).toBeGreaterThan(sessionCount / 20)
    expect(gone).toBeGreaterThanOrEqual(sessionCount / 2)
    expect(whole).toBeGreaterThan(0)
    expect(whole + gone).toBe(sessionCount)
  },
)

type Sessions = ReturnType<typeof createSessions<typeof schema>>
type Values = Record<(typeof names)[number], string>
type Found = { readonly [name in (typeof names)[number]]?: string | undefined }

interface Made {
  readonly sid: string
  readonly token: string
  readonly values: Values
}

/** Fields of different sizes live in different slabs of memcached, which evict by themselves. */
async function makeSessions(sessions: Sessions, howMany: number, chance: Chance): Promise<Made[]> {
  const made: Made[] = []
  while (made.length < howMany) {
    const batch = Array.from({ length: Math.min(100, howMany - made.length) }, async (): Promise<Made> => {
      const values = Object.fromEntries(names.map((name) => [name, name.repeat(1 + chance.below(150))])) as Values
      const { id, token } = await sessions.create(values)
      return { sid: id as string, token: token as string, values }
    })
    made.push(...(await Promise.all(batch)))
  }
  return made
}

interface Damage {
  /** How many sessions have lost an item. */
  readonly damaged: number
  /** How many of them still have their header. */
  readonly halved: number
}

/** Stores other things until so many sessions have lost an item. */
async function fillUntil(server: Memcached, enough: number, made: readonly Made[], chance: Chance): Promise<Damage> {
  const filler = new Filler(server)
  try {
    for (let round = 0; round < 400; round++) {
      const damage = await damageOf(server, made)
      if (damage.damaged >= enough) return damage
      await filler.store(500, chance)
    }
  } finally {
    filler.end()
  }
  throw new Error('memcached does not evict')
}

async function damageOf(server: Memcached, made: readonly Made[]): Promise<Damage> {
  const dump = await textCommand(server, 'lru_crawler metadump all', 'END\r\n')
  const keys = new Set([...dump.matchAll(/^key=(\S+)/gm)].map(([, key]) => decodeURIComponent(key as string)))
  const damaged = made.filter(({ sid }) => ['@', ...names].some((name) => !keys.has(`${sid}:${name}`)))
  return { damaged: damaged.length, halved: damaged.filter(({ sid }) => keys.has(`${sid}:@`)).length }
}

/** Items of all sizes that the sessions' items have, over a connection of its own. */
class Filler {
  readonly #socket
  #stored = 0

  constructor(server: Memcached) {
    this.#socket = connect(server.port, '127.0.0.1')
  }

  async store(howMany: number, chance: Chance): Promise<void> {
    const commands = Array.from({ length: howMany }, () => {
      const size = chance.below(1_400)
      return `set filler${this.#stored++} 0 0 ${size}\r\n${'x'.repeat(size)}\r\n`
    })
    const answers = this.#answers(howMany)
    this.#socket.write(commands.join(''))
    await answers
  }

  end(): void {
    this.#socket.destroy()
  }

  #answers(howMany: number): Promise<void> {
    let text = ''
    return new Promise((resolve, reject) => {
      const read = (chunk: Buffer) => {
        text += chunk.toString('latin1')
        if (text.split('\r\n').length - 1 < howMany) return
        this.#socket.off('data', read).off('error', reject)
        resolve()
      }
      this.#socket.on('data', read).on('error', reject)
    })
  }
}

/** What a session holds; undefined where it is gone. */
async function readAll(sessions: Sessions, token: string): Promise<Found | undefined> {
  const session = await sessions.open(token)
  return session?.getAll().catch(orGone)
}

async function preloadAll(sessions: Sessions, token: string): Promise<Found | undefined> {
  const session = await sessions.open(token, { preload: names })
  if (session === null) return undefined
  const values = await Promise.all(names.map((name) => session.get(name)))
  return Object.fromEntries(names.map((name, index) => [name, values[index]]))
}

function orGone(error: unknown): undefined {
  if (!isFieldwiseError(error, 'SESSION_GONE')) throw error
}
