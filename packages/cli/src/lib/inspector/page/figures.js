/** @import { Counts, Frame } from '../frame.js' */
import { byId, keep, make, write } from './dom.js'
import { count, counted } from './format.js'

/**
 * @typedef {object} Figure
 * @property {keyof Counts} name
 * @property {string} title
 * @property {string} help
 * @property {boolean} isRate
 */

/** @type {readonly Figure[]} */
const figures = [
  { name: 'operations', title: 'Calls', help: 'get, set, update, open and the others', isRate: true },
  { name: 'writes', title: 'Writes', help: 'fields stored or deleted', isRate: true },
  { name: 'conflicts', title: 'Conflicts', help: 'somebody else was first; tried again', isRate: true },
  { name: 'combined', title: 'Combined', help: 'updates that shared another’s write', isRate: true },
  { name: 'userCalls', title: 'User calls', help: 'list, count and end of a user’s sessions', isRate: true },
  { name: 'ended', title: 'Ended sessions', help: 'by logout, or with others of their user', isRate: true },
  { name: 'lost', title: 'Lost sessions', help: 'an item was gone, evicted perhaps', isRate: false },
  { name: 'forged', title: 'Forged tokens', help: 'right id, wrong secret', isRate: false },
  { name: 'unavailable', title: 'Unavailable', help: 'calls that a silent server failed', isRate: false },
  { name: 'unknown', title: 'Unknown outcomes', help: 'written or not, nobody can tell', isRate: false },
]

/** The large numbers: a rate with its total below, or a total that had better stay 0. @param {Frame} frame */
export function showFigures({ seconds, totals }) {
  const last = seconds.at(-1)
  keep(byId('figures'), figures, {
    key: ({ name }) => name,
    make: makeFigure,
    update(element, { name, isRate }) {
      const value = /** @type {HTMLElement} */ (element.querySelector('.value'))
      const total = /** @type {HTMLElement} */ (element.querySelector('[data-total]'))
      // A frame may bring no new second; the number of the last one then stays.
      if (isRate && last !== undefined) write(value, count(last[name]))
      if (!isRate) write(value, count(totals[name]))
      write(total, isRate ? `${counted(totals[name], 'in all', 'in all')}` : '')
      element.dataset.total = String(totals[name])
      element.classList.toggle('trouble', !isRate && totals[name] > 0)
    },
  })
}

/** @param {Figure} figure */
function makeFigure({ name, title, help, isRate }) {
  return make(
    'div',
    { class: 'figure', 'data-figure': name },
    make('dt', {}, title, make('span', { class: 'unit' }, isRate ? ' a second' : '')),
    make('dd', { class: 'value' }, isRate ? '0' : ''),
    make('dd', { class: 'small', 'data-total': '' }),
    make('dd', { class: 'small help' }, help),
  )
}
