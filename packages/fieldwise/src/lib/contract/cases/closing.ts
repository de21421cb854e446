import assert from 'node:assert/strict'
import { type SceneCase, told } from '../scene.js'

const requirement =
  'close: flights that are under way are answered unanswered or unsent. Afterwards nothing keeps the process alive.'

export const closing: readonly SceneCase[] = [
  {
    title: 'close settles what is under way',
    requirement,
    async run(scene) {
      await scene.answers(scene.add('a', 'x'))
      const flights = Array.from({ length: 20 }, () => scene.answers(scene.get('a'), scene.replace('a', 'y')))
      await scene.harness.store.close()
      for (const answers of await Promise.all(flights)) {
        assert.match(told(answers[0]), /^(found|unanswered CLOSED|unsent CLOSED)$/)
        assert.match(told(answers[1]), /^(stored|unanswered CLOSED|unsent CLOSED)$/)
      }
    },
  },
  {
    title: 'after close flights are answered unsent with CLOSED, and now and check reject with it',
    requirement,
    async run(scene) {
      await scene.answers(scene.add('a', 'x'))
      await scene.harness.store.close()
      await scene.expect([scene.get('a'), scene.delete('a')], ['unsent CLOSED', 'unsent CLOSED'])
      await assert.rejects(scene.store.now(scene.sid, scene.deadline), { code: 'CLOSED' })
      await assert.rejects(scene.store.check(scene.deadline), { code: 'CLOSED' })
    },
  },
  {
    title: 'a store that was never used can be closed, and closing twice does no harm',
    requirement,
    async run({ store }) {
      await assert.doesNotReject(store.close())
      await assert.doesNotReject(store.close())
    },
  },
]
