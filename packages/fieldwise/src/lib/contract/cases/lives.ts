import assert from 'node:assert/strict'
import { minute, Scene, type SceneCase, told } from '../scene.js'

const requirement =
  'ttl is in milliseconds; the store counts it in steps of traits.ttlStep, so an item may go one step early or two late.'

export const lives: readonly SceneCase[] = [
  {
    title: 'an item is there while it lives, and missing to every request afterwards',
    requirement,
    async run(scene) {
      await scene.answers(scene.add('a', 'first', 3 * scene.step))
      await scene.harness.elapse(scene.step)
      const { version } = await scene.read('a')
      await scene.harness.elapse(4 * scene.step)
      const requests = [
        scene.replace('a', 'x', version),
        scene.replace('a', 'x'),
        scene.touch('a', minute),
        scene.getAndTouch('a', minute),
        scene.delete('a'),
        scene.get('a'),
      ]
      await scene.expect(
        requests,
        requests.map(() => 'missing'),
      )
      await scene.expect([scene.add('a', 'second')], ['stored'])
      await scene.holds('a', 'second')
    },
  },
  {
    title: 'touch, getAndTouch and replace set the time to live, longer or shorter',
    requirement: 'touch: sets the time to live of an item.',
    async run(scene) {
      const [short, long] = [scene.step, minute]
      await scene.answers(
        scene.add('a', 'x', 2 * short),
        scene.add('b', 'x', 2 * short),
        scene.add('c', 'x', long),
        scene.add('d', 'x', long),
        scene.add('e', 'x', 2 * short),
        scene.add('f', 'x', long),
      )
      const { version } = await scene.read('b')
      const changes = [
        scene.touch('a', long),
        scene.replace('b', 'x', version, long),
        scene.touch('c', short),
        scene.replace('d', 'x', undefined, short),
        scene.getAndTouch('e', long),
        scene.getAndTouch('f', short),
      ]
      await scene.expect(changes, ['done', 'stored', 'done', 'stored', 'found', 'found'])
      await scene.harness.elapse(4 * scene.step)
      await scene.expect(
        ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => scene.get(name)),
        ['found', 'found', 'missing', 'missing', 'found', 'missing'],
      )
    },
  },
  {
    title: 'reading, and writes that are refused, leave the remaining time to live as it is',
    requirement,
    async run(scene) {
      await scene.answers(scene.add('a', 'x', 2 * scene.step))
      const tooLarge = Buffer.alloc((await scene.largestFor('a')) + 1)
      await scene.expect(
        [scene.get('a'), scene.add('a', 'y'), scene.replace('a', tooLarge)],
        ['found', 'conflict', 'unsent VALUE_TOO_LARGE'],
      )
      await scene.isRefused('a', {})
      await scene.harness.elapse(4 * scene.step)
      await scene.expect([scene.get('a')], ['missing'])
    },
  },
  {
    title: 'a time to live shorter than a step is neither for ever nor over at once',
    requirement,
    needs: ({ traits }) => (traits.ttlStep > 1 ? undefined : 'this store counts single milliseconds, so nothing is rounded'),
    async run(scene) {
      const ttl = scene.step / 5
      const answers = await scene.answers(
        scene.add('a', 'x', 1),
        scene.add('b', 'x', ttl),
        scene.add('c', 'x'),
        scene.touch('c', ttl),
        scene.add('d', 'x'),
        scene.replace('d', 'x', undefined, 1),
        ...['a', 'b', 'c', 'd'].map((name) => scene.get(name)),
      )
      assert.deepEqual(answers.slice(-4).map(told), ['found', 'found', 'found', 'found'])
      await scene.harness.elapse(4 * scene.step)
      await scene.expect(
        ['a', 'b', 'c', 'd'].map((name) => scene.get(name)),
        ['missing', 'missing', 'missing', 'missing'],
      )
    },
  },
  {
    title: 'times to live around and far beyond 30 days are stored, and the items are still there',
    requirement: 'ttl is in milliseconds, without a longest one: what a store cannot hold is clamped.',
    async run(scene) {
      const names = longTtls.map((_, index) => `field${index}`)
      await scene.answers(...names.flatMap((name) => [scene.add(name, 'x'), scene.add(`${name}-touched`, 'x')]))
      const changes = longTtls.flatMap((ttl, index) => [
        scene.replace(`field${index}`, 'x', undefined, ttl),
        scene.touch(`field${index}-touched`, ttl),
        scene.add(`field${index}-added`, 'x', ttl),
      ])
      await scene.expect(
        changes,
        longTtls.flatMap(() => ['stored', 'done', 'stored']),
      )
      await scene.harness.elapse(scene.step)
      const reads = names.flatMap((name) => [scene.get(name), scene.get(`${name}-touched`), scene.get(`${name}-added`)])
      await scene.expect(
        reads,
        reads.map(() => 'found'),
      )
    },
  },
  {
    title: 'times to live around and beyond 30 days last as long as asked and end then',
    requirement,
    needs: ({ skipsTime }) => (skipsTime ? undefined : 'this harness really waits'),
    async run({ harness }) {
      for (const ttl of [29 * day, 30 * day, 30 * day + 1_000, 400 * day]) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'x', ttl))
        await harness.elapse(ttl - scene.step)
        await scene.expect([scene.get('a')], ['found'])
        await harness.elapse(3 * scene.step)
        await scene.expect([scene.get('a')], ['missing'])
      }
    },
  },
  {
    title: 'get tells the remaining time to live, after add, replace and touch',
    requirement: 'found: ttl says how long the item lives on, in milliseconds, where the store reports it.',
    needs: ({ traits }) => (traits.reportsTtl ? undefined : 'this store does not report times to live'),
    async run(scene) {
      const near = async (name: string, ttl: number) => {
        const told = (await scene.read(name)).ttl ?? Number.NaN
        assert.ok(told > ttl - 2 * scene.step - 250 && told <= ttl + 2 * scene.step, `${told} ms are told of ${ttl} ms`)
      }
      await scene.answers(scene.add('a', 'x', 100_000))
      await near('a', 100_000)
      await scene.answers(scene.replace('a', 'x', undefined, 200_000))
      await near('a', 200_000)
      for (const ttl of [50_000, ...longTtls.slice(0, 4)]) {
        await scene.answers(scene.touch('a', ttl))
        await near('a', ttl)
      }
    },
  },
  {
    title: 'a time to live that is no length of time is refused, and what is there stays',
    requirement: 'ttl is in milliseconds and never 0.',
    async run(scene) {
      await scene.answers(scene.add('a', 'old'))
      for (const ttl of [0, -1, Number.NaN, Number.NEGATIVE_INFINITY]) {
        const refused = [scene.add('b', 'x', ttl), scene.replace('a', 'x', undefined, ttl), scene.touch('a', ttl)]
        await scene.expect(
          [...refused, scene.get('b')],
          ['unsent BAD_ARGUMENT', 'unsent BAD_ARGUMENT', 'unsent BAD_ARGUMENT', 'missing'],
        )
        await scene.holds('a', 'old')
      }
    },
  },
]

const day = 86_400_000

const longTtls = [29 * day, 30 * day, 30 * day + 1_000, 31 * day, 400 * day, 36_525 * day, Number.MAX_SAFE_INTEGER]
