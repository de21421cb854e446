import assert from 'node:assert/strict'
import type { StoreRequest } from '../../api/store.js'
import { minute, type SceneCase, told } from '../scene.js'

const requirement = 'replace: stores only if the very version given is there.'

export const versions: readonly SceneCase[] = [
  {
    title: 'every write makes the versions that were read before it a conflict',
    requirement,
    async run(scene) {
      const writes = {
        replaced: [scene.replace('a', 'other')],
        'replaced by the same bytes': [scene.replace('a', 'first')],
        'deleted and added again': [scene.delete('a'), scene.add('a', 'first')],
      }
      for (const [how, requests] of Object.entries(writes)) {
        await scene.answers(scene.delete('a'), scene.add('a', 'first'))
        const { version } = await scene.read('a')
        await scene.answers(...requests)
        const before = (await scene.read('a')).value.toString()
        const [answer] = await scene.answers(scene.replace('a', 'stale', version))
        assert.equal(told(answer), 'conflict', how)
        await scene.holds('a', before)
      }
    },
  },
  {
    title: 'a version is good for one write',
    requirement,
    async run(scene) {
      await scene.answers(scene.add('a', 'first'))
      const { version } = await scene.read('a')
      await scene.expect([scene.replace('a', 'second', version), scene.replace('a', 'third', version)], ['stored', 'conflict'])
      await scene.holds('a', 'second')
    },
  },
  {
    title: 'the version that a write is answered with, where it is, is good for the next write, and for no other',
    requirement: 'stored: `version` is that of what was just stored, where the store can tell.',
    async run(scene) {
      const next = async (request: StoreRequest) => {
        const [answer] = await scene.answers(request)
        assert.ok(answer?.result === 'stored', `stored, not ${told(answer)}`)
        return answer.version ?? (await scene.read('a')).version
      }
      const added = await next(scene.add('a', 'first'))
      const replaced = await next(scene.replace('a', 'second', added))
      await scene.expect([scene.replace('a', 'late', added)], ['conflict'])
      await next(scene.replace('a', 'third', replaced))
      await scene.expect([scene.replace('a', 'late', replaced)], ['conflict'])
      await scene.holds('a', 'third')
    },
  },
  {
    title: 'of an item whose version is known a store that compares versions says that it is the same, and only as long as it is',
    requirement: 'same: the item is there, and it is that very version.',
    async run(scene) {
      const same = scene.store.traits.comparesVersions ? 'same' : 'found'
      await scene.answers(scene.add('a', 'first'), scene.add('b', 'first'))
      const { version } = await scene.read('a')
      const others = [(await scene.read('b')).version, {}]
      await scene.expect(
        [scene.compare('a', version), scene.touch('a', 2 * minute), scene.compare('a', version)],
        [same, 'done', same],
      )
      for (const other of others) await scene.isAnother(other)
      for (const writes of [[scene.replace('a', 'first')], [scene.delete('a'), scene.add('a', 'first')]]) {
        await scene.answers(...writes)
        await scene.isAnother(version)
      }
      await scene.expect([scene.delete('a'), scene.compare('a', version)], ['done', 'missing'])
    },
  },
  {
    title: 'get and touch leave the version as it is',
    requirement: 'touch: changes neither value nor version.',
    async run(scene) {
      await scene.answers(scene.add('a', 'first'))
      const { version } = await scene.read('a')
      await scene.answers(scene.get('a'), scene.touch('a', 2 * minute), scene.get('a'))
      await scene.expect([scene.replace('a', 'second', version)], ['stored'])
    },
  },
  {
    title: 'after a delete a version finds nothing, and adds nothing',
    requirement,
    async run(scene) {
      await scene.answers(scene.add('a', 'first'))
      const { version } = await scene.read('a')
      await scene.expect([scene.delete('a'), scene.replace('a', 'late', version), scene.get('a')], ['done', 'missing', 'missing'])
    },
  },
  {
    title: 'the version of another item, and what is no version at all, never overwrite',
    requirement,
    async run(scene) {
      await scene.answers(scene.add('a', 'first'), scene.add('b', 'first'))
      const { version } = await scene.read('b')
      await scene.isRefused('a', version)
      await scene.isRefused('a', {})
      await scene.holds('a', 'first')
    },
  },
  {
    title: 'of two clients that write the same version exactly one stores, 50 times',
    requirement,
    async run(here) {
      const there = await here.elsewhere()
      await here.answers(here.add('a', 'begin'))
      for (let round = 0; round < 50; round++) {
        const [mine, theirs] = await Promise.all([here.read('a'), there.read('a')])
        const [one] = await Promise.all([
          here.answers(here.replace('a', `here ${round}`, mine.version)),
          there.answers(there.replace('a', `there ${round}`, theirs.version)),
        ]).then(([first, second]) => [[...first, ...second].map(told)])
        assert.deepEqual([...(one ?? [])].sort(), ['conflict', 'stored'])
        await here.holds('a', one?.[0] === 'stored' ? `here ${round}` : `there ${round}`)
      }
    },
  },
  {
    title: 'of 32 writes of the same version in one tick exactly one stores, and it is the one that is found',
    requirement,
    async run(scene) {
      await scene.answers(scene.add('a', 'begin'))
      const { version } = await scene.read('a')
      const writes = Array.from({ length: 32 }, (_, writer) => scene.answers(scene.replace('a', `by ${writer}`, version)))
      const answers = (await Promise.all(writes)).map(([answer]) => told(answer))
      assert.equal(answers.filter((answer) => answer === 'stored').length, 1)
      assert.equal(answers.filter((answer) => answer === 'conflict').length, 31)
      await scene.holds('a', `by ${answers.indexOf('stored')}`)
    },
  },
]
