/** @import { Frame, Source } from '../frame.js' */
import { Announcer } from './announcer.js'
import { byId, write } from './dom.js'
import { showFigures } from './figures.js'
import { showFleet } from './fleet.js'
import { timeOfDay } from './format.js'
import { History } from './history.js'
import { createPlots } from './plots.js'
import { showSessions } from './sessions.js'
import { createTimeline } from './timeline.js'
import { showWrites } from './writes.js'

const history = new History()
const announcer = new Announcer()
const drawPlots = createPlots(history)
const drawTimeline = createTimeline(history)
const pause = byId('pause')
let isPaused = false
/** @type {Frame | undefined} */
let newest

const events = new EventSource('events')
events.addEventListener('message', ({ data }) => receive(JSON.parse(data)))
events.addEventListener('open', () => showLink('live'))
// The browser tries again by itself, unless the server refused.
events.addEventListener('error', () => showLink(events.readyState === EventSource.CLOSED ? 'ended' : 'lost'))
pause.addEventListener('click', () => {
  isPaused = !isPaused
  pause.setAttribute('aria-pressed', String(isPaused))
  showLink(isPaused ? 'paused' : 'live')
  if (!isPaused && newest !== undefined) show(newest)
})

/** What comes while the page is paused is kept, and shown when it goes on. @param {Frame} frame */
function receive(frame) {
  newest = frame
  history.add(frame)
  announcer.watch(frame)
  if (!isPaused) show(frame)
}

/** @param {Frame} frame */
function show(frame) {
  showSource(frame.source)
  showFigures({ ...frame, seconds: history.seconds })
  drawPlots()
  drawTimeline()
  showFleet(frame)
  showSessions(frame)
  showWrites(frame)
}

/** @param {'live' | 'lost' | 'paused' | 'ended'} state */
function showLink(state) {
  const link = byId('link')
  if (link.dataset.state === state || (isPaused && state === 'live')) return
  link.dataset.state = state
  link.textContent = state
  announcer.say(
    { live: 'Connected.', lost: 'The connection is lost; trying again.', paused: 'Paused.', ended: 'The connection has ended.' }[
      state
    ],
  )
}

/** @param {Source} source */
function showSource({ kind, pid, since }) {
  const time = timeOfDay(since)
  const texts = {
    app: `Watching process ${pid} since ${time}`,
    servers: `Watching servers since ${time}`,
    demo: `Demonstration in process ${pid} since ${time}`,
  }
  write(byId('source'), texts[kind])
  byId('notice-servers').hidden = kind !== 'servers'
  byId('notice-demo').hidden = kind !== 'demo'
  // Without sessions to see, plots of nothing would only be in the way.
  for (const part of document.querySelectorAll('[data-of]')) {
    const isOfServers = /** @type {HTMLElement} */ (part).dataset.of === 'servers'
    part.toggleAttribute('hidden', isOfServers !== (kind === 'servers'))
  }
}
