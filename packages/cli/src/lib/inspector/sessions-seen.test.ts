import { expect, test } from 'vitest'
import { fieldEvent, sessionEvent, writeEvent } from '../../testing/events.js'
import { SessionsSeen } from './sessions-seen.js'

test('knows of each session what was called, written and in conflict, and how large its fields are', () => {
  const sessions = new SessionsSeen(10)
  sessions.operation(sessionEvent(), 1_000)
  sessions.operation(sessionEvent(), 2_000)
  sessions.wrote(writeEvent({ field: 'cart', bytes: 50 }), 3_000)
  sessions.wrote(writeEvent({ field: 'cart', bytes: 70 }), 4_000)
  sessions.wrote(writeEvent({ field: 'flash', bytes: 90 }), 4_000)
  sessions.wrote(writeEvent({ field: 'flash', bytes: 20, deleted: true }), 5_000)
  sessions.conflict(fieldEvent({ field: 'cart' }), 6_000)
  sessions.forged(sessionEvent(), 7_000)
  expect(sessions.latest(10)).toMatchObject([
    {
      sid: sessionEvent().sid,
      state: 'live',
      firstSeen: 1_000,
      lastSeen: 7_000,
      operations: 2,
      conflicts: 1,
      forged: 1,
      bytes: 70,
      fields: [
        { field: 'cart', bytes: 70, writes: 2, conflicts: 1, lastWrite: 4_000 },
        { field: 'flash', bytes: 0, writes: 2, conflicts: 0, lastWrite: 5_000 },
      ],
    },
  ])
})

test('keeps sessions of the same id apart by prefix and store', () => {
  const sessions = new SessionsSeen(10)
  for (const prefix of ['shop:', 'admin:']) sessions.operation(sessionEvent({ prefix }), 1_000)
  sessions.operation(sessionEvent({ store: 'memory' }), 1_000)
  expect(sessions.latest(10)).toHaveLength(3)
})

test('one more than it keeps makes it forget the one that was unused for the longest', () => {
  const sessions = new SessionsSeen(3)
  for (const [time, sid] of ['a', 'b', 'c', 'a', 'd'].entries()) sessions.operation(sessionEvent({ sid }), time)
  expect(sessions.latest(10).map(({ sid }) => sid)).toEqual(['d', 'c', 'a'])
  expect(sessions.count).toBe(4)
})

test('shows the ones used last, and the newest first, so that a row stays above the same rows', () => {
  const sessions = new SessionsSeen(10)
  for (const [time, sid] of ['a', 'b', 'c', 'd', 'b'].entries()) sessions.operation(sessionEvent({ sid }), time)
  expect(sessions.latest(3).map(({ sid }) => sid)).toEqual(['d', 'c', 'b'])
})

test('keeps a bounded number of fields of a session', () => {
  const sessions = new SessionsSeen(10)
  for (let name = 0; name < 1_000; name++) sessions.wrote(writeEvent({ field: `field${name}` }), 0)
  expect(sessions.latest(1)[0]?.fields).toHaveLength(64)
})

test('that a session is lost is news once, however many calls find it', () => {
  const sessions = new SessionsSeen(10)
  expect([1, 2, 3].map((time) => sessions.became('lost', sessionEvent(), time))).toEqual([true, false, false])
})

test('counts the living ones of each server', () => {
  const sessions = new SessionsSeen(10)
  sessions.operation(sessionEvent({ sid: 'a', server: 'one' }), 0)
  sessions.operation(sessionEvent({ sid: 'b', server: 'one' }), 0)
  sessions.operation(sessionEvent({ sid: 'c', server: 'two' }), 0)
  sessions.became('lost', sessionEvent({ sid: 'a', server: 'one' }), 0)
  sessions.operation(sessionEvent({ sid: 'd', store: 'memory', server: undefined }), 0)
  expect(Object.fromEntries(sessions.byServer())).toEqual({ one: 1, two: 1, memory: 1 })
})
