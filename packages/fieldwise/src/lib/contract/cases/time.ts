import assert from 'node:assert/strict'
import type { ContractHarness } from '../harness.js'
import type { SceneCase } from '../scene.js'

export const time: readonly SceneCase[] = [
  {
    title: 'now tells the time of the server, and never runs backwards',
    requirement: 'now: the present time of the server, in milliseconds since 1970.',
    async run(scene) {
      await isNow(scene.harness, await scene.store.now(scene.sid, scene.deadline))
      let last = 0
      for (let round = 0; round < 20; round++) {
        const now = await scene.store.now(scene.sid, scene.deadline)
        assert.ok(now >= last, `${now} came after ${last}`)
        last = now
      }
    },
  },
  {
    title: 'the time of a flight lies between the times told before and after it',
    requirement: 'serverTime: the server’s time when the answers had arrived.',
    async run(scene) {
      for (let round = 0; round < 10; round++) {
        const before = await scene.store.now(scene.sid, scene.deadline)
        const at = (await scene.fly([scene.get('a')])).serverTime ?? Number.NaN
        const after = await scene.store.now(scene.sid, scene.deadline)
        assert.ok(before <= at && at <= after, `${before} <= ${at} <= ${after}`)
      }
    },
  },
  {
    title: 'the first flight already tells the time',
    requirement: 'serverTime: the server’s time when the answers had arrived.',
    async run(scene) {
      await isNow(scene.harness, (await scene.fly([scene.get('a')])).serverTime ?? Number.NaN)
    },
  },
  {
    title: 'time passes on the server as it does here',
    requirement: 'now: the present time of the server, in milliseconds since 1970.',
    async run(scene) {
      const before = [await scene.store.now(scene.sid, scene.deadline), scene.harness.clock.now()] as const
      await scene.harness.elapse(1_200)
      const passed = (await scene.store.now(scene.sid, scene.deadline)) - before[0]
      const meant = scene.harness.clock.now() - before[1]
      assert.ok(Math.abs(passed - meant) < 250, `${passed} ms passed there, ${meant} ms here`)
    },
  },
]

async function isNow(harness: ContractHarness, time: number): Promise<void> {
  const now = harness.clock.now()
  // memcached tells whole seconds, and has its own since it began.
  assert.ok(Math.abs(time - now) <= 2_500, `the store says ${time} at ${now}`)
}
