import assert from 'node:assert/strict'
import { minute, Scene, type SceneCase, told } from '../scene.js'

const requirement = '"Not there" is a result, and results are named.'

export const results: readonly SceneCase[] = [
  {
    title: 'get, replace, delete and touch of what is not there are missing',
    requirement,
    async run(scene) {
      const requests = [scene.get('a'), scene.replace('a', 'x'), scene.delete('a'), scene.touch('a', minute), scene.get('a')]
      await scene.expect(requests, ['missing', 'missing', 'missing', 'missing', 'missing'])
    },
  },
  {
    title: 'add stores where nothing is, and is a conflict where something is',
    requirement: 'add: stores only if nothing is there.',
    async run(scene) {
      await scene.expect([scene.add('a', 'first')], ['stored'])
      await scene.expect([scene.add('a', 'second')], ['conflict'])
      await scene.holds('a', 'first')
    },
  },
  {
    title: 'replace without a version stores over whatever is there',
    requirement: 'replace: stores only if something is there; without a version, whatever it is.',
    async run(scene) {
      await scene.expect(
        [scene.add('a', 'first'), scene.replace('a', 'second'), scene.replace('a', 'third')],
        ['stored', 'stored', 'stored'],
      )
      await scene.holds('a', 'third')
    },
  },
  {
    title: 'replace with the version that was read stores',
    requirement: 'replace: stores only if the very version given is there.',
    async run(scene) {
      await scene.answers(scene.add('a', 'first'))
      const { version } = await scene.read('a')
      await scene.expect([scene.replace('a', 'second', version)], ['stored'])
      await scene.holds('a', 'second')
    },
  },
  {
    title: 'delete removes an item once, and add may follow',
    requirement,
    async run(scene) {
      await scene.answers(scene.add('a', 'first'))
      await scene.expect([scene.delete('a'), scene.delete('a'), scene.get('a')], ['done', 'missing', 'missing'])
      await scene.expect([scene.replace('a', 'late'), scene.add('a', 'second')], ['missing', 'stored'])
      await scene.holds('a', 'second')
    },
  },
  {
    title: 'touch leaves the value as it is',
    requirement: 'touch: changes neither value nor version.',
    async run(scene) {
      await scene.expect([scene.add('a', 'first'), scene.touch('a', 2 * minute)], ['stored', 'done'])
      await scene.holds('a', 'first')
    },
  },
  {
    title: 'getAndTouch gets the item as it is',
    requirement: 'getAndTouch: gets an item and sets its time to live. Changes neither its value nor its version.',
    async run(scene) {
      const [nothing, , renewed] = await scene.answers(
        scene.getAndTouch('a', minute),
        scene.add('a', 'first'),
        scene.getAndTouch('a', minute),
      )
      assert.equal(told(nothing), 'missing')
      assert.ok(renewed?.result === 'found' && renewed.value.equals(Buffer.from('first')), `found, not ${told(renewed)}`)
      await scene.expect([scene.replace('a', 'second', renewed.version)], ['stored'])
    },
  },
  {
    title: 'requests change their own item only',
    requirement: 'Requests are for single items.',
    async run({ harness }) {
      const [one, other] = [new Scene(harness), new Scene(harness)]
      for (const scene of [one, other]) await scene.answers(scene.add('a', 'mine'), scene.add('ab', 'longer name'))
      await one.expect([one.replace('a', 'changed'), one.delete('ab')], ['stored', 'done'])
      await other.holds('a', 'mine')
      await other.holds('ab', 'longer name')
    },
  },
  {
    title: 'another client of the same items sees what was stored, changed and deleted',
    requirement: 'All items of one session live in one place.',
    async run(here) {
      const there = await here.elsewhere()
      await here.answers(here.add('a', 'first'))
      await there.holds('a', 'first')
      await there.expect([there.replace('a', 'second')], ['stored'])
      await here.holds('a', 'second')
      await here.expect([here.delete('a')], ['done'])
      await there.expect([there.get('a')], ['missing'])
    },
  },
]
