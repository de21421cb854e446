/** @import { Frame } from '../frame.js' */
import { byId } from './dom.js'
import { counted } from './format.js'

/** Troubles come in crowds. In milliseconds. */
const pause = 10_000

/**
 * Tells a screen reader what matters, and only that: the connection, servers that fall silent or come back, sessions lost, forged tokens.
 * All other numbers change too often to be read aloud.
 */
export class Announcer {
  #element = byId('announcer')
  /** @type {Map<string, string>} */
  #health = new Map()
  /** @type {Pick<Frame['totals'], 'lost' | 'forged' | 'unavailable' | 'unknown'> | undefined} */
  #told
  #toldAt = 0

  /** @param {string} text */
  say(text) {
    this.#element.textContent = text
  }

  /** @param {Frame} frame */
  watch(frame) {
    const sentences = [...this.#servers(frame), ...this.#troubles(frame)]
    if (sentences.length > 0) this.say(sentences.join(' '))
  }

  /** @param {Frame} frame */
  #servers({ fleet }) {
    const changed = fleet.servers.filter(({ label, health }) => {
      const before = this.#health.get(label)
      this.#health.set(label, health)
      return before !== undefined && before !== health && (health === 'silent' || before === 'silent')
    })
    return changed.map(({ label, health }) => `Server ${label} ${health === 'silent' ? 'is silent' : 'answers again'}.`)
  }

  /** @param {Frame} frame */
  #troubles({ at, totals }) {
    const before = this.#told
    if (before !== undefined && at - this.#toldAt < pause) return []
    const { lost, forged, unavailable, unknown } = totals
    this.#told = { lost, forged, unavailable, unknown }
    this.#toldAt = at
    if (before === undefined) return []
    return [
      sentence(lost - before.lost, 'session lost', 'sessions lost'),
      sentence(forged - before.forged, 'forged token'),
      sentence(unavailable - before.unavailable, 'call to a silent server', 'calls to silent servers'),
      sentence(unknown - before.unknown, 'unknown outcome'),
    ].flat()
  }
}

/** @param {number} amount @param {string} one @param {string} [many] */
function sentence(amount, one, many) {
  return amount > 0 ? [`${counted(amount, one, many)}.`] : []
}
