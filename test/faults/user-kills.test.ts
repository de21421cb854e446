import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isFieldwiseError } from 'fieldwise'
import { afterEach, describe, expect, test } from 'vitest'
import { count, measured } from '../support/promise.js'
import { sized } from '../support/scale.js'
import { patient, protocols, Stage, type TestSession, unhurried } from './stage.js'
import type { Task } from './user-killed.mjs'

const stages: Stage[] = []
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage[Symbol.asyncDispose]()
})

const moments = sized(['before', 'after'] as const, ['after'] as const)
/** How many flights there are from one process that is killed to the next. */
const [step] = sized([1], [7]) as [number]

describe.for(protocols)('a process that is killed between any two flights (%s)', (protocol) => {
  test.for(['create', 'regenerate'] as const)(
    'of a login by %s ends no other session but the oldest, and the next login finds two at most',
    patient,
    async (act, context) => {
      const scene = await open(protocol)
      const broken = { endedFalsely: 0, overLimit: 0, wrongListings: 0 }
      const kills = await killAtEach(scene, act, async (user, die) => {
        const sessions = [await scene.logIn(user), await scene.logIn(user)] as const
        const visitor = await scene.sessions.create({ tag: 'a visitor' })
        const isKilled = await die(visitor.token)
        if (!(await works(sessions[1]))) broken.endedFalsely++
        const next = await scene.logIn(user)
        if (!(await works(next))) broken.endedFalsely++
        const working = await workingOf([...sessions, next])
        const listed = await scene.listed(user)
        if (working.length > 2 || listed.length > 2) broken.overLimit++
        const known = [...sessions, next].map(({ id }) => id)
        if (
          listed
            .filter((id) => known.includes(id))
            .sort()
            .join() !== working.sort().join()
        )
          broken.wrongListings++
        return isKilled
      })
      measured(context, `${count(kills)} processes killed in a login`, JSON.stringify(broken))
      expect(broken).toEqual({ endedFalsely: 0, overLimit: 0, wrongListings: 0 })
    },
  )

  test.for(['end', 'end the others'] as const)(
    'of %s leaves what is listed working and nothing else, and a second call ends the rest',
    patient,
    async (act, context) => {
      const scene = await open(protocol)
      const broken = { endedFalsely: 0, worked: 0, wrongListings: 0 }
      const kills = await killAtEach(scene, act, async (user, die) => {
        const sessions = await Promise.all(Array.from({ length: 6 }, () => scene.sessions.create({}, { user })))
        const [kept, ...others] = sessions as [TestSession, ...TestSession[]]
        const isKilled = await die(kept.token)
        const listed = await scene.listed(user)
        if (listed.sort().join() !== (await workingOf(sessions)).sort().join()) broken.wrongListings++
        if (act === 'end the others' && !(await works(kept))) broken.endedFalsely++
        const later = await scene.sessions.create({}, { user })
        if (!isKilled && (await workingOf(others)).length > 0) broken.worked++
        await scene.sessions.user(user).end({ except: later })
        if ((await workingOf(sessions)).length > 0) broken.worked++
        if (!(await works(later))) broken.endedFalsely++
        return isKilled
      })
      measured(context, `${count(kills)} processes killed in an end`, JSON.stringify(broken))
      expect(broken).toEqual({ endedFalsely: 0, worked: 0, wrongListings: 0 })
    },
  )
})

async function open(protocol: Stage['protocol']) {
  const stage = new Stage(protocol)
  stages.push(stage)
  const names = ['one', 'two', 'three'] as const
  const started = await Promise.all(names.map(async (name) => [name, (await stage.memcached()).address] as const))
  const servers = Object.fromEntries(started)
  const sessions = stage.sessions(servers, unhurried)
  const limited = stage.sessions(servers, { ...unhurried, users: { max: 2 } })
  return {
    servers,
    protocol,
    sessions,
    logIn: (user: string) => limited.create({}, { user }),
    listed: async (user: string) => (await sessions.user(user).list()).map(({ id }) => id),
  }
}

type Scene = Awaited<ReturnType<typeof open>>
/** Runs the act in a process that dies at one of its flights. Resolves with whether it came so far. */
type Die = (token: string | undefined) => Promise<boolean>

/** Plays a round for each flight of an act, until the process survives it. Resolves with how many were killed. */
async function killAtEach(
  { servers, protocol }: Scene,
  act: Task['act'],
  play: (user: string, die: Die) => Promise<boolean>,
): Promise<number> {
  let kills = 0
  for (const when of moments) {
    for (let flight = 1; ; flight += step) {
      const user = `ada ${when} ${flight}`
      const die: Die = (token) => isKilled({ servers, protocol, act, user, token: token ?? '', flight, when })
      if (!(await play(user, die))) break
      kills++
    }
  }
  return kills
}

const program = fileURLToPath(new URL('user-killed.mjs', import.meta.url))

async function isKilled(task: Task): Promise<boolean> {
  const child = fork(program)
  let hasSurvived = false
  child.once('message', () => {
    hasSurvived = true
  })
  child.send(task)
  const [code, signal] = await once(child, 'exit')
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(`The process ended with ${code ?? signal}`)
  return !hasSurvived
}

async function workingOf(sessions: readonly TestSession[]): Promise<(string | undefined)[]> {
  const ids = await Promise.all(sessions.map(async (session) => ((await works(session)) ? [session.id] : [])))
  return ids.flat()
}

async function works(session: TestSession): Promise<boolean> {
  try {
    await session.set('tag', 'in use')
    return true
  } catch (error) {
    if (isFieldwiseError(error, 'SESSION_GONE')) return false
    throw error
  }
}
