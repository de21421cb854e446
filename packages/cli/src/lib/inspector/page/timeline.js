/** @import { LaneSecond } from '../frame.js' */
/** @import { History } from './history.js' */
import { byId, keep, make, write } from './dom.js'
import { count, timeOfDay } from './format.js'
import { axisLooks, colourOf, frameOf, timeAxis, watchLooks } from './plots.js'
import uPlot from './uplot.js'

/** In CSS pixels. */
const laneHeight = 30
const largest = 11

/** The writes of the last five minutes, a lane for each field. @param {History} history @returns {() => void} draws it as the history is now */
export function createTimeline(history) {
  const timeline = new Timeline(history)
  byId('timeline').append(timeline.element)
  return () => timeline.draw()
}

class Timeline {
  #history
  #canvas = make('div', { class: 'canvas', role: 'img', 'aria-label': 'Writes over the last five minutes. Figures below.' })
  #readout = make('span', { class: 'now readout' })
  #body = make('tbody')
  #details
  /** @type {uPlot | undefined} */
  #plot
  /** @type {string[]} */
  #fields = []

  /** @param {History} history */
  constructor(history) {
    this.#history = history
    this.#details = makeTable(this.#body)
    this.#details.addEventListener('toggle', () => this.#writeTable())
    this.element = make(
      'figure',
      { class: 'card' },
      make('figcaption', {}, make('h3', {}, 'Timeline'), make('span', { class: 'unit' }, 'by field'), this.#readout),
      legend(),
      this.#canvas,
      this.#details,
    )
    watchLooks(this.#canvas, () => this.#rebuild())
  }

  draw() {
    // The value axis grows upwards.
    const fields = [...new Set(this.#history.lanes.map(({ field }) => field))].sort().reverse()
    if (fields.join('\n') === this.#fields.join('\n')) this.#plot?.setData(this.#data())
    else {
      this.#fields = fields
      this.#rebuild()
    }
    if (this.#details.open) this.#writeTable()
  }

  #rebuild() {
    this.#plot?.destroy()
    this.#plot = new uPlot(this.#options(), this.#data(), this.#canvas)
  }

  /** The circles are drawn by hand: the data only carry the times. @returns {uPlot.AlignedData} */
  #data() {
    const times = this.#history.seconds.map(({ at }) => at / 1_000)
    return [times, times.map(() => null)]
  }

  /** @returns {uPlot.Options} */
  #options() {
    const fields = this.#fields
    const rows = Math.max(1, fields.length)
    return {
      ...frameOf(this.#canvas, rows * laneHeight + 40),
      scales: { x: { time: true, range: () => this.#history.range }, y: { range: () => [-0.5, rows - 0.5] } },
      axes: [
        timeAxis(this.#canvas),
        {
          ...axisLooks(this.#canvas),
          size: Math.min(150, 24 + 7.5 * Math.max(6, ...fields.map(({ length }) => length))),
          splits: () => fields.map((_, i) => i),
          values: () => fields.map((field) => (field.length > 16 ? `${field.slice(0, 15)}…` : field)),
        },
      ],
      series: [{}, { show: true, points: { show: false } }],
      hooks: { draw: [(plot) => this.#drawCircles(plot)], setCursor: [({ cursor }) => this.#read(cursor.idx)] },
    }
  }

  /** @param {uPlot} plot */
  #drawCircles(plot) {
    const { ctx, bbox } = plot
    const looks = {
      kept: colourOf(this.#canvas, '--leaf'),
      combined: colourOf(this.#canvas, '--plum'),
      deleted: colourOf(this.#canvas, '--rust'),
    }
    const scale = ctx.canvas.width / plot.width
    const step = stepOf(plot)
    const [, end] = this.#history.range
    ctx.save()
    ctx.beginPath()
    ctx.rect(bbox.left, bbox.top, bbox.width + largest * scale, bbox.height)
    ctx.clip()
    for (const lane of this.#history.lanesBy(step)) {
      // In the middle of the time that it stands for.
      const x = plot.valToPos(Math.min(lane.at / 1_000 + (step - 1) / 2, end), 'x', true)
      const y = plot.valToPos(this.#fields.indexOf(lane.field), 'y', true)
      drawCircle(ctx, { x, y, radius: radiusOf(lane) * scale, scale }, lane, looks)
    }
    ctx.restore()
  }

  /** @param {number | null | undefined} index */
  #read(index) {
    const second = index === null || index === undefined ? undefined : this.#history.seconds[index]
    const lanes = this.#history.lanes.filter(({ at }) => at === second?.at)
    const text = lanes.map(({ field, writes }) => `${field} ${count(writes)}`).join(', ')
    write(this.#readout, second === undefined ? '' : `${timeOfDay(second.at)}: ${text || 'no writes'}`)
  }

  #writeTable() {
    const sums = sumsOf(this.#history.lanes)
    keep(this.#body, sums, {
      key: ({ field }) => field,
      make: ({ field }) =>
        make('tr', {}, make('th', { scope: 'row' }, field), ...'abc'.split('').map(() => make('td', { class: 'number' }))),
      update(row, { writes, combined, deleted }) {
        for (const [i, value] of [writes, combined, deleted].entries()) write(row.cells[i + 1], count(value))
      },
    })
  }
}

/** How many seconds one circle stands for: as many as keep it apart from the next. @param {uPlot} plot */
function stepOf(plot) {
  const secondWidth = Math.abs(plot.valToPos(1, 'x') - plot.valToPos(0, 'x'))
  return steps.find((step) => step * secondWidth >= 2 * largest) ?? 60
}

const steps = [1, 2, 5, 10, 15, 30]

/** Area stands for number. @param {LaneSecond} lane */
function radiusOf({ writes }) {
  return Math.min(largest, 2.5 + Math.sqrt(writes))
}

/**
 * Deletions are rings, and combined updates have a ring around them: colour alone tells nothing.
 *
 * @param {CanvasRenderingContext2D} ctx
 * @param {{ x: number, y: number, radius: number, scale: number }} place
 * @param {LaneSecond} lane
 * @param {{ kept: string, combined: string, deleted: string }} looks
 */
function drawCircle(ctx, { x, y, radius, scale }, { writes, combined, deleted }, looks) {
  const isDeleted = deleted === writes
  ctx.save()
  ctx.globalAlpha = 0.85
  ctx.lineWidth = 1.5 * scale
  ctx.beginPath()
  ctx.arc(x, y, radius, 0, 2 * Math.PI)
  if (isDeleted) {
    ctx.strokeStyle = looks.deleted
    ctx.stroke()
  } else {
    ctx.fillStyle = looks.kept
    ctx.fill()
  }
  if (combined > 0) {
    ctx.beginPath()
    ctx.arc(x, y, radius + 2.5 * scale, 0, 2 * Math.PI)
    ctx.strokeStyle = looks.combined
    ctx.stroke()
  }
  ctx.restore()
}

/** @param {readonly LaneSecond[]} lanes */
function sumsOf(lanes) {
  /** @type {Map<string, { field: string, writes: number, combined: number, deleted: number }>} */
  const sums = new Map()
  for (const { field, writes, combined, deleted } of lanes) {
    const sum = sums.get(field) ?? { field, writes: 0, combined: 0, deleted: 0 }
    sums.set(field, { field, writes: sum.writes + writes, combined: sum.combined + combined, deleted: sum.deleted + deleted })
  }
  return [...sums.values()].sort((one, other) => (one.field < other.field ? -1 : 1))
}

function legend() {
  const dot = (/** @type {string} */ kind) => make('span', { class: `dot ${kind}`, 'aria-hidden': 'true' })
  return make(
    'ul',
    { class: 'legend' },
    make('li', {}, dot('kept'), 'stored'),
    make('li', {}, dot('combined'), 'with combined updates'),
    make('li', {}, dot('deleted'), 'deleted'),
  )
}

/** @param {HTMLTableSectionElement} body */
function makeTable(body) {
  const heads = ['Field', 'Writes', 'Combined', 'Deleted'].map((text, i) =>
    make('th', { scope: 'col', ...(i > 0 && { class: 'number' }) }, text),
  )
  return make(
    'details',
    { class: 'figures-of' },
    make('summary', {}, 'Figures', make('span', { class: 'unseen' }, ' of the timeline')),
    make(
      'table',
      {},
      make('caption', {}, 'Writes by field in the last five minutes'),
      make('thead', {}, make('tr', {}, ...heads)),
      body,
    ),
  )
}
