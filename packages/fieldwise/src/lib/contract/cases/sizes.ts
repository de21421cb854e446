import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { type SceneCase, told } from '../scene.js'

const requirement =
  'largestValue: the largest value in bytes that can be stored. More is refused before sending, the old value is intact.'

export const sizes: readonly SceneCase[] = [
  {
    title: 'a value of the largest size, and of one byte less, is stored and comes back',
    requirement,
    async run(scene) {
      const largest = await scene.largestFor('a')
      for (const length of [largest - 1, largest]) {
        const value = randomBytes(length)
        await scene.expect([scene.delete('a'), scene.add('a', value), scene.replace('a', value)], ['missing', 'stored', 'stored'])
        assert.ok((await scene.read('a')).value.equals(value))
        await scene.expect([scene.delete('a')], ['done'])
      }
    },
  },
  {
    title: 'a value of one byte more is refused, and the old value and its version stay good',
    requirement,
    async run(scene) {
      await scene.answers(scene.add('a', 'old'))
      const { version } = await scene.read('a')
      const tooLarge = Buffer.alloc((await scene.largestFor('a')) + 1, 1)
      const refused = [scene.replace('a', tooLarge), scene.replace('a', tooLarge, version), scene.add('b', tooLarge)]
      await scene.expect(
        [...refused, scene.get('b')],
        ['unsent VALUE_TOO_LARGE', 'unsent VALUE_TOO_LARGE', 'unsent VALUE_TOO_LARGE', 'missing'],
      )
      await scene.holds('a', 'old')
      await scene.expect([scene.replace('a', 'new', version)], ['stored'])
    },
  },
  {
    title: 'a write that is refused for lack of memory stores nothing, and is told apart by whether the old value is still there',
    requirement: 'unsent: the server refused it, nothing has changed. lost: what was there before is gone.',
    needs: ({ exhausts }) => (exhausts ? undefined : 'this store never refuses an item for lack of memory'),
    async run(scene) {
      const names = ['conditional', 'unconditional', 'added']
      await scene.answers(...names.map((name) => scene.add(name, 'old')))
      const { version } = await scene.read('conditional')
      await scene.harness.exhaust?.()
      const value = Buffer.alloc(300_000, 'new')
      const refused = [
        scene.replace('conditional', value, version),
        scene.replace('unconditional', value),
        scene.add('added', value),
        scene.add('nothing-before', value),
      ]
      // One at a time: an item that is deleted makes room for the next.
      for (const [index, request] of refused.entries()) {
        const [answer, found] = await scene.answers(request, { op: 'get', key: request.key })
        assert.ok(answer?.result === 'unsent' || answer?.result === 'lost', `it is refused, not ${told(answer)}`)
        assert.equal(answer.error.code, 'STORE_UNAVAILABLE')
        const isThere = answer.result === 'unsent' && index < names.length
        assert.equal(told(found), isThere ? 'found' : 'missing', `after '${answer.result}'`)
        if (found?.result === 'found') assert.equal(found.value.toString(), 'old')
      }
    },
  },
  {
    title: 'the largest size depends on the length of the key, up to 250 bytes',
    requirement,
    async run(scene) {
      const name = 'n'.repeat(250 - scene.key('').length)
      const largest = await scene.largestFor(name)
      await scene.expect([scene.add(name, Buffer.alloc(largest))], ['stored'])
      await scene.expect([scene.replace(name, Buffer.alloc(largest + 1))], ['unsent VALUE_TOO_LARGE'])
      assert.equal((await scene.read(name)).value.length, largest)
    },
  },
  {
    title: 'an error tells nothing of the value that it refused',
    requirement: 'No message, cause or property ever carries a stored value.',
    async run(scene) {
      const value = Buffer.alloc((await scene.largestFor('a')) + 1, 'canary')
      const answers = await scene.answers(scene.add('a', value), scene.add('a b', 'canary'))
      for (const answer of answers) {
        assert.ok(answer.result === 'unsent')
        assert.doesNotMatch(inspect(answer.error, { depth: 9, showHidden: true }), /canary|63 61 6e 61/)
      }
    },
  },
]
