import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { drawFault, type Fate, type FaultProxy, type Link } from '../support/fault-proxy.js'
import { type Call, checkHistory, nothingWritten, remembered } from '../support/history.js'
import { count, measured } from '../support/promise.js'
import { Chance, scaled } from '../support/scale.js'
import { patient, protocols, Stage } from './stage.js'

const stages: Stage[] = []
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage[Symbol.asyncDispose]()
})

const schema = z.object({
  chain: z.object({ version: z.int(), recent: z.array(z.string()) }).default({ version: 0, recent: [] }),
})

const processes = 8
const abreast = 4
/** Writes of unknown outcome that are let pass where a hundredth of all would be fewer. */
const mostOfFew = 8

test.for(protocols)(
  'no update of one field by 8 processes over a faulty network is lost or applied twice (%s)',
  patient,
  async (protocol, context) => {
    const chance = new Chance(`8 writers, ${protocol}`)
    const stage = new Stage(protocol)
    stages.push(stage)
    const server = await stage.memcached()
    const clean = createSessions({ schema, store: memcachedStore({ main: server.address }, { protocol }) })
    const { token } = await clean.create({ chain: { version: 0, recent: [] } })
    const updates = scaled(200)
    const proxies = await Promise.all(Array.from({ length: processes }, () => faultyProxy(stage, server.address, chance)))
    const told = await Promise.all(
      proxies.map(({ address }, index) =>
        runWriter({ name: `p${index}`, address, protocol, token, updates, abreast, remembered }),
      ),
    )
    // Nothing may arrive any more when the end is looked at.
    for (const proxy of proxies) {
      proxy.release()
      await proxy[Symbol.asyncDispose]()
    }
    const end = await (await clean.open(token as string))?.get('chain')
    await clean.close()
    const calls = told.flat()
    const found = checkHistory(calls, end ?? nothingWritten)
    const touched = told.map((own, index) => own.filter((call) => isTouched(call, proxies[index] as FaultProxy)))
    const writes = sum(touched.map(writesOf))
    const unknown = sum(told.map((own) => writesOf(own.filter(({ outcome }) => outcome === 'unknown'))))
    const share = (100 * unknown) / Math.max(1, writes)
    const lost = found.filter((one) => one.startsWith('lost')).length
    const twice = found.filter((one) => one.startsWith('applied twice')).length
    measured(
      context,
      `${processes} processes x ${count(updates)} updates, ${count(sum(proxies.map(({ faults }) => faults.length)))} faults`,
      `${lost} lost, ${twice} twice, ${found.length - lost - twice} others; ${count(touched.flat().length)} calls touched, ` +
        `carried by ${count(writes)} writes, ${unknown} of them OUTCOME_UNKNOWN (${share.toFixed(2)} %)`,
    )
    expect(found.slice(0, 10)).toEqual([])
    expect(calls.filter(({ kind, outcome }) => kind === 'update' && outcome !== 'failed').length).toBeGreaterThanOrEqual(
      processes * updates,
    )
    expect(touched.flat().length).toBeGreaterThan(updates)
    // Writes, not calls: a combined write of unknown outcome tells so to each of its callers.
    expect(unknown).toBeLessThanOrEqual(Math.max(mostOfFew, writes / 100))
  },
)

/** One process's way to the server: every link fails sooner or later, and some requests and answers are lost. */
async function faultyProxy(stage: Stage, target: string, chance: Chance): Promise<FaultProxy> {
  const judge = ({ link }: { link: Link }): Fate => {
    if (chance.next() > 0.01) return 'pass'
    const fate = chance.pick(['swallow', 'swallow and reset', 'lose', 'hold'] as const)
    if (fate === 'hold') setTimeout(() => link.release(), chance.below(600)).unref()
    return fate
  }
  return stage.proxy({ target, judge, plan: (link) => drawFault(link, chance, 10_000) })
}

interface Task {
  readonly name: string
  readonly address: string
  readonly protocol: string
  readonly token: string | undefined
  readonly updates: number
  readonly abreast: number
  readonly remembered: number
}

function runWriter(task: Task): Promise<Call[]> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('writer.mjs', import.meta.url)), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    child.once('message', (calls) => resolve(calls as Call[]))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`a writer ended with ${code} before it had reported`)))
    child.send(task)
  })
}

/** How many combined writes carried these calls of one process. */
function writesOf(calls: readonly Call[]): number {
  return new Set(calls.map(({ write }) => write).filter((write) => write !== undefined)).size
}

function isTouched({ began, ended }: Call, { faults }: FaultProxy): boolean {
  return faults.some((moment) => moment >= began && moment <= ended)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
