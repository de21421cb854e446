import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { minute, type SceneCase, told } from '../scene.js'

export const keys: readonly SceneCase[] = [
  {
    title: 'keys of up to 250 bytes, of every printable character, are kept apart',
    requirement: 'Keys are whole keys.',
    async run(scene) {
      const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join('')
      const longest = 'n'.repeat(250 - scene.key('').length)
      const names = [printable, longest, `${longest.slice(1)}m`, longest.slice(1)]
      await scene.answers(...names.map((name) => scene.add(name, `value of ${name}`)))
      for (const name of names) await scene.holds(name, `value of ${name}`)
    },
  },
  {
    title: 'a key that could end or extend a command is refused, and its neighbours are carried out',
    requirement: 'unsent: this request did not reach the server and never will.',
    async run(scene) {
      const tooLong = ['n'.repeat(251 - scene.key('').length), 'é'.repeat(200)]
      for (const name of [...tooLong, ' ', 'a b', 'a\r\nversion', 'a\0', 'a\x7f', '\t']) {
        const asked = [
          scene.get(name),
          scene.add(name, 'x'),
          scene.replace(name, 'x'),
          scene.delete(name),
          scene.touch(name, minute),
        ]
        const neighbour = randomUUID()
        const expected = [...asked.map(() => 'unsent BAD_ARGUMENT'), 'stored']
        await scene.expect([...asked, scene.add(neighbour, 'x')], expected)
        await scene.holds(neighbour, 'x')
      }
      const [empty] = await scene.answers({ op: 'get', key: '' })
      assert.equal(told(empty), 'unsent BAD_ARGUMENT')
    },
  },
]
