import assert from 'node:assert/strict'
import type { StoreAnswer } from '../../api/store.js'
import { Scene, type SceneCase, told } from '../scene.js'

const requirement = 'The server carries the requests out in the order given, and the answers come in the same order.'

export const order: readonly SceneCase[] = [
  {
    title: 'each request of a flight sees what those before it did',
    requirement,
    async run(scene) {
      const [a, get] = ['a', scene.get('a')]
      const changes = [get, scene.add(a, '1'), get, scene.replace(a, '2'), get, scene.delete(a), get, scene.add(a, '3'), get]
      const answers = await scene.answers(...changes)
      const results = ['missing', 'stored', 'found', 'stored', 'found', 'done', 'missing', 'stored', 'found']
      assert.deepEqual(answers.map(told), results)
      assert.deepEqual(valuesOf(answers), ['1', '2', '3'])
    },
  },
  {
    title: 'a header that is read last in a flight is not older than the fields before it',
    requirement,
    async run(reader) {
      const writer = await reader.elsewhere()
      await reader.answers(reader.add('field', '0'), reader.add('@', '0'))
      for (let round = 1; round <= 50; round++) {
        // The writer changes the header first, so a field's new value is never seen with the header from before.
        const writing = writer.answers(writer.replace('@', `${round}`), writer.replace('field', `${round}`))
        const [field, header] = valuesOf(await reader.answers(reader.get('field'), reader.get('@'))).map(Number)
        assert.ok((header ?? -1) >= (field ?? -1), `field ${field} was read with header ${header}`)
        await writing
      }
    },
  },
  {
    title: 'flights of one session that are sent one after the other are carried out in that order',
    requirement: 'All items of one session go over one ordered connection.',
    async run(scene) {
      const flights = [scene.answers(scene.add('a', '0'))]
      for (let round = 1; round <= 20; round++) flights.push(scene.answers(scene.replace('a', `${round}`), scene.get('a')))
      const [, ...rounds] = await Promise.all(flights)
      assert.deepEqual(
        rounds.map((answers) => valuesOf(answers)[0]),
        Array.from({ length: 20 }, (_, index) => `${index + 1}`),
      )
    },
  },
  {
    title: 'an empty flight has no answers',
    requirement,
    async run(scene) {
      const flight = await scene.fly([])
      assert.deepEqual([...flight.answers], [])
    },
  },
  {
    title: 'a flight of 1,001 requests has 1,001 answers, each its own',
    requirement,
    async run(scene) {
      const names = Array.from({ length: 500 }, (_, index) => `field${index}`)
      const adds = names.map((name) => scene.add(name, `value of ${name}`))
      const gets = names.map((name) => scene.get(name))
      const answers = await scene.answers(...adds, scene.get('none'), ...gets)
      assert.deepEqual(
        answers.slice(0, 500).map(told),
        adds.map(() => 'stored'),
      )
      assert.equal(told(answers[500]), 'missing')
      assert.deepEqual(
        valuesOf(answers),
        names.map((name) => `value of ${name}`),
      )
    },
  },
  {
    title: 'a refused request does not shift the answers of the others',
    requirement,
    async run(scene) {
      const tooLarge = Buffer.alloc((await scene.largestFor('a')) + 1)
      await scene.answers(scene.add('a', 'of a'), scene.add('b', 'of b'))
      const requests = [
        scene.get('a'),
        scene.replace('a', tooLarge),
        scene.get('b'),
        scene.get('bad key'),
        scene.get('a'),
        scene.get('c'),
      ]
      const answers = await scene.answers(...requests)
      const results = ['found', 'unsent VALUE_TOO_LARGE', 'found', 'unsent BAD_ARGUMENT', 'found', 'missing']
      assert.deepEqual(answers.map(told), results)
      assert.deepEqual(valuesOf(answers), ['of a', 'of b', 'of a'])
    },
  },
  {
    title: '64 flights of 64 sessions at once each get their own answers',
    requirement,
    async run({ harness }) {
      const scenes = Array.from({ length: 64 }, () => new Scene(harness))
      const adds = await Promise.all(
        scenes.map((scene) => scene.answers(scene.add('a', scene.sid), scene.add('b', 'x'.repeat(2_000)))),
      )
      assert.ok(adds.every((answers) => answers.every((answer) => answer.result === 'stored')))
      for (let round = 0; round < 5; round++) {
        const reads = await Promise.all(scenes.map((scene) => scene.answers(scene.get('b'), scene.get('none'), scene.get('a'))))
        assert.deepEqual(
          reads.map((answers) => valuesOf(answers)[1]),
          scenes.map((scene) => scene.sid),
        )
        assert.ok(reads.every((answers) => told(answers[1]) === 'missing'))
      }
    },
  },
  {
    title: '64 flights of one session at once each get their own answers',
    requirement,
    async run(scene) {
      const names = Array.from({ length: 64 }, (_, index) => `field${index}`)
      await scene.answers(...names.map((name) => scene.add(name, `value of ${name}`)))
      const reads = await Promise.all(names.map((name) => scene.answers(scene.get(name))))
      assert.deepEqual(
        reads.map((answers) => valuesOf(answers)[0]),
        names.map((name) => `value of ${name}`),
      )
    },
  },
]

function valuesOf(answers: readonly StoreAnswer[]): string[] {
  return answers.flatMap((answer) => (answer.result === 'found' ? [answer.value.toString('latin1')] : []))
}
