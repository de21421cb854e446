import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Scene, SceneCase } from '../scene.js'

const requirement = 'A value is any sequence of bytes.'

export const values: readonly SceneCase[] = [
  {
    title: 'a value comes back byte for byte, whatever is in it',
    requirement,
    async run(scene) {
      const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
      const values = [everyByte, Buffer.alloc(3), Buffer.alloc(100, 0xff), Buffer.concat([everyByte.reverse(), everyByte])]
      const likeReplies = ['\r\n', 'END\r\n', 'HD\r\nEN\r\n', 'x\r\nVA 5 c1\r\nother\r\n', '\x81\0\0\0', 'ERROR\r\n'].map(
        (text) => Buffer.from(text, 'latin1'),
      )
      await eachIsKept(scene, [...values, ...likeReplies])
    },
  },
  {
    title: 'an empty value is a value, not a missing item',
    requirement,
    async run(scene) {
      await scene.answers(scene.add('a', ''))
      await scene.holds('a', '')
      await scene.expect(
        [scene.add('a', 'second'), scene.replace('a', 'x'), scene.replace('a', '')],
        ['conflict', 'stored', 'stored'],
      )
      await scene.holds('a', '')
    },
  },
  {
    title: 'values of every length around the sizes of network reads come back whole',
    requirement,
    async run(scene) {
      const lengths = [1, 2, 1_459, 1_460, 1_461, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 300_000]
      await eachIsKept(
        scene,
        lengths.map((length) => randomBytes(length)),
      )
    },
  },
  {
    title: 'what a caller does to a buffer after the answer changes nothing in the store',
    requirement: 'A value that was answered for is the store’s own.',
    async run(scene) {
      const written = Buffer.from('as it was')
      await scene.answers(scene.add('a', written))
      written.fill('!')
      const { value } = await scene.read('a')
      assert.equal(value.toString(), 'as it was')
      value.fill('?')
      await scene.holds('a', 'as it was')
    },
  },
  {
    title: 'a value that was read stays as it is while more is read',
    requirement: 'A value that was answered is the caller’s own.',
    async run(scene) {
      await scene.answers(scene.add('a', 'kept'), scene.add('b', randomBytes(30_000)))
      const { value } = await scene.read('a')
      for (let round = 0; round < 20; round++) await scene.answers(scene.get('b'), scene.get('b'))
      assert.equal(value.toString(), 'kept')
    },
  },
]

async function eachIsKept(scene: Scene, values: readonly Buffer[]): Promise<void> {
  const names = values.map((_, index) => `field${index}`)
  await scene.answers(...values.map((value, index) => scene.add(`field${index}`, value)))
  const answers = await scene.answers(...names.map((name) => scene.get(name)))
  for (const [index, value] of values.entries()) {
    const answer = answers[index]
    assert.ok(answer?.result === 'found' && answer.value.equals(value), `value ${index} of ${value.length} bytes is kept`)
  }
}
