import assert from 'node:assert/strict'
import { isFieldwiseError } from '../../api/errors.js'
import type { StoreAnswer } from '../../api/store.js'
import type { ContractCase, ContractHarness } from '../harness.js'
import { Scene, type SceneCase, told } from '../scene.js'

const needs: ContractCase['needs'] = ({ breaks }) => (breaks ? undefined : 'this store cannot be cut off')

export const outages: readonly SceneCase[] = [
  {
    title: 'while the store is cut off every call ends in time, flights by answers, the others by STORE_UNAVAILABLE',
    requirement: 'An outage is an error, carried in the answer of each request that it hit. A flight never rejects.',
    needs,
    async run(scene) {
      // Long, so that an outage may begin within the first answer and no short answer slips through whole.
      await scene.answers(scene.add('a', 'x'.repeat(100)))
      await duringEachOutage(scene.harness, async () => {
        const begun = scene.harness.running()
        const flights = Array.from({ length: 20 }, () => scene.answers(scene.get('a'), scene.replace('a', 'y')))
        const others = [scene.store.now(scene.sid, scene.deadline), scene.store.check(scene.deadline)]
        const outcomes = await Promise.allSettled(others)
        for (const answers of await Promise.all(flights)) answers.forEach(isOutage)
        for (const answer of await scene.answers(scene.get('a'))) isOutage(answer)
        const [, check] = outcomes
        assert.ok(check?.status === 'rejected' && isFieldwiseError(check.reason, 'STORE_UNAVAILABLE'))
        assert.ok(scene.harness.running() - begun < 2 * scene.store.traits.timeout + slack, 'every call ended in time')
      })
    },
  },
  {
    title: 'what is cut off in flight is answered, and what is answered unsent is never carried out',
    requirement: 'unsent: this request did not reach the server and never will.',
    needs,
    async run(scene) {
      await scene.answers(scene.add('warm', 'x'))
      for (const [round, outage] of (scene.harness.outages ?? []).entries()) {
        const names = Array.from({ length: 50 }, (_, index) => `field${round}-${index}`)
        const flights = names.map((name) => scene.answers(scene.add(name, 'x')))
        await outage.begin()
        const late = names.map((name) => scene.answers(scene.add(`${name}-late`, 'x')))
        const sent = [...(await Promise.all(flights)), ...(await Promise.all(late))].map(([answer]) => told(answer).split(' ')[0])
        await outage.end()
        await untilBack(scene)
        const found = await scene.answers(...[...names, ...names.map((name) => `${name}-late`)].map((name) => scene.get(name)))
        for (const [index, answer] of found.entries()) {
          assert.ok(['stored', 'unsent', 'unanswered'].includes(sent[index] ?? ''), `add was answered ${sent[index]}`)
          if (sent[index] === 'unsent') assert.equal(told(answer), 'missing', outage.title)
        }
      }
    },
  },
  {
    title: 'after an outage the store works again by itself, and a version from before it is never the same and never overwrites',
    requirement: 'stale: the version is one of a connection that is gone. Nothing was sent.',
    needs,
    async run(scene) {
      for (const outage of scene.harness.outages ?? []) {
        await scene.answers(scene.delete('a'), scene.add('a', 'before'))
        const { version } = await scene.read('a')
        await outage.begin()
        await scene.answers(scene.get('a'))
        await outage.end()
        await untilBack(scene)
        await scene.answers(scene.delete('a'), scene.add('a', 'after'))
        await scene.isAnother(version)
        await scene.isRefused('a', version)
        await scene.holds('a', 'after')
      }
    },
  },
]

/** What a busy machine may take longer, in milliseconds, before a case calls it late. */
const slack = 500

/** How long a store may take to find its server again, in milliseconds. */
const longestReturn = 10_000

async function duringEachOutage(harness: ContractHarness, act: () => Promise<void>): Promise<void> {
  for (const outage of harness.outages ?? []) {
    await outage.begin()
    try {
      await act()
    } finally {
      await outage.end()
    }
    await untilBack(new Scene(harness))
  }
}

function isOutage(answer: StoreAnswer): void {
  assert.match(told(answer), /^(unsent|unanswered) STORE_UNAVAILABLE$/)
}

async function untilBack(scene: Scene): Promise<void> {
  const givenUp = scene.harness.running() + longestReturn
  while (scene.harness.running() < givenUp) {
    const [answer] = await scene.answers(scene.get('none'))
    if (answer?.result === 'missing') return
    await scene.harness.elapse(50)
  }
  assert.fail(`the store does not answer ${longestReturn} ms after the outage`)
}
