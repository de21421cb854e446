import { drawChart } from './chart.js'
import { Lane } from './lane.js'
import { Meadow } from './meadow.js'

const form = /** @type {HTMLFormElement} */ (document.querySelector('#race'))
const button = /** @type {HTMLButtonElement} */ (form.querySelector('button'))
const verdict = /** @type {HTMLElement} */ (document.querySelector('#verdict'))
const chart = /** @type {SVGSVGElement} */ (document.querySelector('#chart'))
const sections = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-lane]'))
const sides = [...sections].map(sideOf)
const lanes = sides.map(({ lane }) => lane)
let racing = false
let frame = 0

form.addEventListener('submit', (event) => {
  event.preventDefault()
  void race(Number(new FormData(form).get('requests')))
})
new ResizeObserver(paintSoon).observe(chart)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paintSoon)

/** Both sides at the same moment. @param {number} total */
async function race(total) {
  racing = true
  button.disabled = true
  verdict.textContent = `Sending ${total} requests to each side …`
  paintSoon()
  const ends = await Promise.allSettled(lanes.map((lane) => lane.run(total)))
  racing = false
  button.disabled = false
  paint(performance.now())
  const failed = ends.some((end) => end.status === 'rejected')
  verdict.textContent = failed ? 'The race was broken off: a server does not answer.' : lanes.map(sentence).join(' ')
  for (const { lane, canvas } of sides) canvas.setAttribute('aria-label', sentence(lane))
  chart.setAttribute('aria-label', lanes.map(sentence).join(' '))
}

/** @param {HTMLElement} section */
function sideOf(section) {
  const { lane: name = '', servers = '' } = section.dataset
  const canvas = /** @type {HTMLCanvasElement} */ (section.querySelector('canvas'))
  return { section, canvas, lane: new Lane(name, servers.split(' ')), meadow: new Meadow(canvas) }
}

function paintSoon() {
  if (frame === 0) frame = requestAnimationFrame(paint)
}

/** @param {number} now */
function paint(now) {
  cancelAnimationFrame(frame)
  frame = 0
  const moving = sides.map(({ lane, meadow }) => meadow.draw(lane, now))
  for (const { section, lane } of sides) write(section, lane)
  drawChart(chart, lanes)
  if (racing || moving.includes(true)) paintSoon()
}

/** What is lost is only known when the last answer is in. @param {HTMLElement} section @param {Lane} lane */
function write(section, lane) {
  const done = lane.seconds > 0 && !racing
  const figures = {
    sent: lane.total && lane.sent,
    kept: lane.total && lane.kept,
    lost: done ? lane.lost : '–',
    time: done ? `${lane.seconds.toFixed(2)} s` : '–',
  }
  for (const [name, figure] of Object.entries(figures)) {
    const place = /** @type {HTMLElement} */ (section.querySelector(`[data-figure=${name}]`))
    place.textContent = figure.toLocaleString('en')
  }
  section.classList.toggle('losing', done && lane.lost > 0)
  section.classList.toggle('whole', done && lane.lost === 0)
}

/** @param {Lane} lane */
function sentence(lane) {
  const failed = lane.sent - lane.acknowledged
  const errors = failed === 0 ? '' : `, and answered ${failed} with an error`
  return `${lane.name} kept ${lane.kept} of ${lane.acknowledged}${errors}.`
}
