/** @import { FieldSeen, Frame, SessionSeen } from '../frame.js' */
import { byId, keep, make, write } from './dom.js'
import { ago, bytes, count, counted, shortId } from './format.js'

const columns = 7
/** The sessions whose fields are shown. @type {Set<string>} */
const open = new Set()
/** What is shown, for rows that are opened between two frames. @type {Frame | undefined} */
let shown

/** The sessions, each with its fields behind a button. @param {Frame} frame */
export function showSessions(frame) {
  shown = frame
  const { sessions, totals, at } = frame
  const seen = counted(totals.sessions, 'session')
  write(
    byId('sessions-lead'),
    sessions.length === 0
      ? 'None seen yet.'
      : `${seen} seen. Those used last, the newest first; sizes are of what was written here.`,
  )
  // Two rows each: the session, and its fields.
  const rows = sessions.flatMap((session) => [
    { session, isFields: false },
    { session, isFields: true },
  ])
  keep(byId('rows'), rows, {
    key: ({ session, isFields }) => `${session.key}${isFields ? ' fields' : ''}`,
    make: ({ session, isFields }) => (isFields ? makeFields(session) : makeSession(session)),
    update: (row, { session, isFields }) => (isFields ? updateFields(row, session, at) : updateSession(row, session, at)),
  })
}

/** @param {SessionSeen} session */
function makeSession({ key, sid, prefix, store, server }) {
  const button = make(
    'button',
    { type: 'button', class: 'opener', 'aria-expanded': open.has(key), 'aria-controls': idOf(key), title: sid },
    make('code', {}, `${prefix}${shortId(sid)}`),
  )
  const row = make(
    'tr',
    { 'data-sid': sid },
    make('th', { scope: 'row' }, button),
    make('td', { class: 'state' }),
    make('td', { class: 'wide' }, server ?? store),
    make('td', { class: 'number' }),
    make('td', { class: 'number wide' }),
    make('td', { class: 'number' }),
    make('td', { class: 'number wide' }),
  )
  button.addEventListener('click', () => {
    if (!open.delete(key)) open.add(key)
    button.setAttribute('aria-expanded', String(open.has(key)))
    byId(idOf(key)).hidden = !open.has(key)
    if (shown !== undefined) showSessions(shown)
  })
  return row
}

/** @param {HTMLTableRowElement} row @param {SessionSeen} session @param {number} at */
function updateSession(row, { state, operations, conflicts, forged, bytes: size, lastSeen }, at) {
  const texts = [
    forged > 0 ? `${state}, ${counted(forged, 'forged token')}` : state,
    undefined,
    count(operations),
    count(conflicts),
    bytes(size),
    ago(at - lastSeen),
  ]
  row.dataset.state = state
  for (const [i, text] of texts.entries()) {
    const cell = row.cells[i + 1]
    if (text !== undefined && cell !== undefined) write(cell, text)
  }
}

/** @param {SessionSeen} session */
function makeFields({ key, sid }) {
  const row = make(
    'tr',
    { class: 'fields', id: idOf(key) },
    make('td', { colspan: columns }, make('p', {}, make('code', { class: 'sid' }, sid)), make('ul', {})),
  )
  row.hidden = !open.has(key)
  return row
}

/** @param {HTMLTableRowElement} row @param {SessionSeen} session @param {number} at */
function updateFields(row, { fields }, at) {
  if (row.hidden) return
  const largest = Math.max(1, ...fields.map(({ bytes: size }) => size))
  const list = /** @type {HTMLElement} */ (row.querySelector('ul'))
  keep(list, fields, {
    key: ({ field }) => field,
    make: ({ field }) =>
      make(
        'li',
        { 'data-field': field },
        make('span', { class: 'name' }, field),
        make('span', { class: 'bar', 'aria-hidden': 'true' }, make('span')),
        make('span', { class: 'size' }),
        make('span', { class: 'soft' }),
      ),
    update: (element, field) => updateField(element, field, largest, at),
  })
}

/** @param {HTMLElement} element @param {FieldSeen} field @param {number} largest @param {number} at */
function updateField(element, { bytes: size, writes, conflicts, lastWrite }, largest, at) {
  const [, bar, sizeElement, rest] = /** @type {HTMLElement[]} */ ([...element.children])
  if (bar === undefined || sizeElement === undefined || rest === undefined) return
  const filled = /** @type {HTMLElement} */ (bar.firstElementChild)
  filled.style.width = `${(100 * size) / largest}%`
  write(sizeElement, size > 0 ? bytes(size) : writes > 0 ? 'deleted' : 'not written here')
  const trouble = conflicts > 0 ? `, ${counted(conflicts, 'conflict')}` : ''
  write(rest, `${counted(writes, 'write')}${trouble}, the last ${ago(at - lastWrite)}`)
}

/** An id for the page. A key may hold a space, which separates ids. @param {string} key */
function idOf(key) {
  return `fields-${encodeURIComponent(key)}`
}
