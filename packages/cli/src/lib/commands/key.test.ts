import { createSessions } from 'fieldwise'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { fieldwise } from '../../testing/command-line.js'

test('a key is one that sealing takes, and another one each time', async () => {
  const [one, other] = [await fieldwise(['key']), await fieldwise(['key', '--json'])]
  const keys = [one.output.trim(), JSON.parse(other.output).key as string]
  expect(keys[0]).not.toBe(keys[1])
  await using _sessions = createSessions({ schema: z.object({ username: z.string() }), sealing: { keys } })
  expect([one.code, one.said, other.code]).toEqual([0, '', 0])
})
