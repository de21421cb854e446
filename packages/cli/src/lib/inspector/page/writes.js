/** @import { Frame, WriteSeen } from '../frame.js' */
import { byId, keep, make } from './dom.js'
import { count, shortId, timeOfDay } from './format.js'

/** The latest writes, one by one. @param {Frame} frame */
export function showWrites({ latest }) {
  keep(byId('latest'), numbered(latest), { key: ({ key }) => key, make: ({ write }) => makeRow(write), update() {} })
}

/** Two writes may be alike in everything. @param {readonly WriteSeen[]} latest */
function numbered(latest) {
  /** @type {Map<string, number>} */
  const seen = new Map()
  return latest
    .toReversed()
    .map((write) => {
      const name = `${write.at} ${write.sid} ${write.field} ${write.bytes}`
      const times = seen.get(name) ?? 0
      seen.set(name, times + 1)
      return { key: `${name} ${times}`, write }
    })
    .reverse()
}

/** @param {WriteSeen} write */
function makeRow({ at, field, sid, bytes, deleted, combined }) {
  const what = deleted ? 'deleted' : combined > 1 ? `${count(combined)} updates in one` : 'stored'
  return make(
    'tr',
    {},
    make('th', { scope: 'row' }, timeOfDay(at)),
    make('td', {}, field),
    make('td', { class: 'wide' }, make('code', { title: sid }, shortId(sid))),
    make('td', { class: 'number' }, count(bytes)),
    make('td', {}, what),
  )
}
