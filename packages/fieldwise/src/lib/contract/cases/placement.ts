import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { Scene, type SceneCase, told } from '../scene.js'

const requirement =
  'place: the uuid as it is, or with the label of the server that will hold it. holds: its label names a server of this store.'

export const placement: readonly SceneCase[] = [
  {
    title: 'a placed sid is the uuid, bare or with a label, and is held by every client of the same items',
    requirement,
    async run({ harness }) {
      const another = await harness.another()
      for (let round = 0; round < 100; round++) {
        const uuid = randomUUID()
        const sid = harness.store.place(uuid)
        assert.match(sid, /^[0-9a-f-]{36}(~[A-Za-z0-9_-]{1,64})?$/)
        assert.ok(sid.startsWith(uuid))
        assert.ok(harness.store.holds(sid) && another.holds(sid))
      }
    },
  },
  {
    title: 'a sid with a foreign or malformed label is not held',
    requirement,
    async run({ harness }) {
      const sid = harness.store.place(randomUUID())
      const foreign = ['~no-such-server', '~', '~~', '~127.0.0.1:11211', '~__proto__', '~constructor', '~\r\n'].map(
        (label) => sid.slice(0, 36) + label,
      )
      for (const other of [...foreign, `${sid}~`, `${sid}~x`, `${sid}x~x`])
        assert.equal(harness.store.holds(other), false, inspect(other))
    },
  },
  {
    title: 'servers are what sids end with, and what sessions share is reached by a sid and by its server',
    requirement:
      'servers: what the ids of the sessions of each server end with. All items of one session live in one place; so do items that sessions share.',
    async run(scene) {
      const { store, sid } = scene
      const server = store.servers().find((one) => one === sid.slice(36))
      assert.ok(server !== undefined && new Set(store.servers()).size === store.servers().length)
      const key = `shared:${randomUUID().replaceAll('-', '')}`
      await scene.expect([{ op: 'add', key, value: Buffer.from('a'), ttl: 60_000 }], ['stored'])
      const asked = [{ op: 'get', key }, scene.get('a')] as const
      await scene.expect([scene.add('a', 'b')], ['stored'])
      const { answers } = await store.flight(server, asked, scene.deadline)
      assert.deepEqual(answers.map(told), ['found', 'found'])
      assert.ok((await store.now(server, scene.deadline)) > 0 && store.largestValue(server, key.length) > 0)
    },
  },
  {
    title: 'check resolves while every server answers',
    requirement: 'check: resolves when every server answers.',
    async run({ harness }) {
      await harness.store.check(new Scene(harness).deadline)
    },
  },
  {
    title: 'a store has a name, a timeout and a step of its lives',
    requirement: 'What a store can and cannot do, as data.',
    async run({ store }) {
      assert.match(store.name, /^[a-z][a-z-]*$/)
      assert.ok(store.traits.timeout > 0 && store.traits.ttlStep > 0)
    },
  },
]
