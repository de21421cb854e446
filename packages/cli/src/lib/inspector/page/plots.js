/** @import { Second } from '../frame.js' */
/** @import { History, Part } from './history.js' */
import { byId, keep, make, write } from './dom.js'
import { count, duration, timeOfDay } from './format.js'
import uPlot from './uplot.js'

/**
 * @typedef {object} Line
 * @property {string} title
 * @property {string} colour the name of a custom property
 * @property {number[]} [dash] lines differ in more than colour
 * @property {(second: Second) => number | null} of
 * @property {(part: Part) => number | null} inPart
 */

/**
 * @typedef {object} PlotDescription
 * @property {string} title
 * @property {string} about
 * @property {string} inTable
 * @property {readonly Line[]} lines
 * @property {(value: number) => string} show
 * @property {boolean} [isLogarithmic]
 */

/** @type {readonly PlotDescription[]} */
const descriptions = [
  {
    title: 'Calls and writes',
    about: 'a second',
    inTable: 'in half a minute',
    show: count,
    lines: [
      { title: 'calls', colour: '--leaf', of: ({ operations }) => operations, inPart: (part) => part.sum('operations') },
      { title: 'writes', colour: '--sky', dash: [5, 3], of: ({ writes }) => writes, inPart: (part) => part.sum('writes') },
    ],
  },
  {
    title: 'Conflicts and combined updates',
    about: 'a second',
    inTable: 'in half a minute',
    show: count,
    lines: [
      { title: 'conflicts', colour: '--rust', of: ({ conflicts }) => conflicts, inPart: (part) => part.sum('conflicts') },
      {
        title: 'combined',
        colour: '--plum',
        dash: [5, 3],
        of: ({ combined }) => combined,
        inPart: (part) => part.sum('combined'),
      },
    ],
  },
  {
    title: 'Latency of calls',
    about: 'by quantile',
    inTable: 'the slowest second of half a minute',
    show: duration,
    isLogarithmic: true,
    lines: [
      { title: 'p50', colour: '--leaf', of: ({ latency }) => latency?.p50 ?? null, inPart: (part) => part.largest('p50') },
      {
        title: 'p90',
        colour: '--amber',
        dash: [5, 3],
        of: ({ latency }) => latency?.p90 ?? null,
        inPart: (part) => part.largest('p90'),
      },
      {
        title: 'p99',
        colour: '--rust',
        dash: [2, 3],
        of: ({ latency }) => latency?.p99 ?? null,
        inPart: (part) => part.largest('p99'),
      },
    ],
  },
]

/** The plots over time. @param {History} history @returns {() => void} draws them as the history is now */
export function createPlots(history) {
  const plots = descriptions.map((description) => new LinePlot(history, description))
  byId('plots').append(...plots.map(({ element }) => element))
  return () => {
    for (const plot of plots) plot.draw()
  }
}

class LinePlot {
  #history
  #description
  /** @type {HTMLElement[]} */
  #values
  #canvas = make('div', { class: 'canvas', role: 'img' })
  #body = make('tbody')
  #details
  /** @type {uPlot | undefined} */
  #plot

  /** @param {History} history @param {PlotDescription} description */
  constructor(history, description) {
    this.#history = history
    this.#description = description
    this.#values = description.lines.map(() => make('span', { class: 'now' }))
    this.#details = tableOf(description, this.#body)
    this.#details.addEventListener('toggle', () => this.#writeTable())
    this.element = make(
      'figure',
      { class: 'card' },
      make('figcaption', {}, make('h3', {}, description.title), make('span', { class: 'unit' }, description.about)),
      legendOf(description, this.#values),
      this.#canvas,
      this.#details,
    )
    watchLooks(this.#canvas, () => this.#rebuild())
  }

  draw() {
    this.#plot?.setData(this.#data())
    this.#writeValues(this.#history.seconds.length - 1)
    if (this.#details.open) this.#writeTable()
  }

  /** Colours are painted into a canvas, so a change of scheme needs a new one, and so does a new width. */
  #rebuild() {
    this.#plot?.destroy()
    this.#plot = new uPlot(this.#options(), this.#data(), this.#canvas)
  }

  /** @returns {uPlot.AlignedData} */
  #data() {
    const { seconds } = this.#history
    const lines = this.#description.lines.map(({ of }) => seconds.map(of))
    return /** @type {uPlot.AlignedData} */ ([seconds.map(({ at }) => at / 1_000), ...lines])
  }

  /** @returns {uPlot.Options} */
  #options() {
    const { lines, show, isLogarithmic = false } = this.#description
    return {
      ...frameOf(this.#canvas, 170),
      scales: { x: { time: true, range: () => this.#history.range }, y: isLogarithmic ? logarithmic : fromZero },
      axes: [timeAxis(this.#canvas), valueAxis(this.#canvas, show, isLogarithmic)],
      series: [{}, ...lines.map((line) => seriesOf(this.#canvas, line))],
      hooks: { setCursor: [({ cursor }) => this.#writeValues(cursor.idx ?? this.#history.seconds.length - 1)] },
    }
  }

  /** The values of the second under the pointer, or else of the last one. @param {number} index */
  #writeValues(index) {
    const { lines, show, title } = this.#description
    const second = this.#history.seconds[index]
    const texts = lines.map((line) => {
      const value = second === undefined ? null : line.of(second)
      return value === null ? '–' : show(value)
    })
    for (const [i, element] of this.#values.entries()) write(element, texts[i] ?? '')
    const now = lines.map((line, i) => `${line.title} ${texts[i]}`).join(', ')
    this.#canvas.setAttribute('aria-label', `${title} over time. The last second: ${now}. Figures below.`)
  }

  #writeTable() {
    const { lines, show } = this.#description
    keep(this.#body, this.#history.parts(), {
      key: ({ at }) => String(at),
      make: ({ at }) =>
        make('tr', {}, make('th', { scope: 'row' }, timeOfDay(at)), ...lines.map(() => make('td', { class: 'number' }))),
      update(row, part) {
        for (const [i, { inPart }] of lines.entries()) {
          const value = inPart(part)
          write(row.cells[i + 1], value === null ? 'no call' : show(value))
        }
      },
    })
  }
}

/** @param {PlotDescription} description @param {HTMLElement[]} values */
function legendOf({ lines }, values) {
  const entries = lines.map(({ title, colour, dash }, i) =>
    make('li', {}, swatch(colour, dash), `${title} `, /** @type {HTMLElement} */ (values[i])),
  )
  return make('ul', { class: 'legend' }, ...entries)
}

/** @param {string} colour @param {readonly number[]} [dash] */
function swatch(colour, dash = []) {
  const element = make('span', { class: 'swatch', 'aria-hidden': 'true' })
  element.style.borderTopColor = `var(${colour})`
  element.style.borderTopStyle = dash.length === 0 ? 'solid' : (dash[0] ?? 0) > 2 ? 'dashed' : 'dotted'
  return element
}

/** @param {PlotDescription} description @param {HTMLTableSectionElement} body */
function tableOf({ title, inTable, lines }, body) {
  const heads = ['From', ...lines.map((line) => line.title)].map((text, i) =>
    make('th', { scope: 'col', ...(i > 0 && { class: 'number' }) }, text),
  )
  return make(
    'details',
    { class: 'figures-of' },
    make('summary', {}, 'Figures', make('span', { class: 'unseen' }, ` of ${title}`)),
    make('table', {}, make('caption', {}, `${title}, ${inTable}`), make('thead', {}, make('tr', {}, ...heads)), body),
  )
}

/** Calls `build` at first, and when the width or the colour scheme has changed. @param {HTMLElement} element @param {() => void} build */
export function watchLooks(element, build) {
  let width = 0
  new ResizeObserver(() => {
    if (element.clientWidth === width) return
    width = element.clientWidth
    build()
  }).observe(element)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', build)
}

/** @param {HTMLElement} element @param {number} height */
export function frameOf(element, height) {
  return {
    width: Math.max(200, element.clientWidth),
    height,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { size: 6 } },
    padding: /** @type {[number, number, number, number]} */ ([10, 12, 0, 4]),
  }
}

/** @param {HTMLElement} element @returns {uPlot.Axis} */
export function timeAxis(element) {
  return {
    ...axisLooks(element),
    size: 30,
    space: 56,
    // Seconds only where they tell one mark from the next.
    values: (_plot, times, _axis, _space, step) => times.map((time) => timeOfDay(time * 1_000).slice(0, step < 60 ? 8 : 5)),
  }
}

/** @param {Element} element */
export function axisLooks(element) {
  const font = `12px ${getComputedStyle(element).fontFamily}`
  const grid = { stroke: colourOf(element, '--grid'), width: 1 }
  return { stroke: colourOf(element, '--soft'), font, grid, ticks: { show: false } }
}

/** @param {Element} element @param {string} name */
export function colourOf(element, name) {
  // A canvas does not know light-dark(); what the browser has computed for an element it does.
  const probe = document.createElement('span')
  probe.style.color = `var(${name})`
  element.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

/** @param {HTMLElement} element @param {(value: number) => string} show @param {boolean} isLogarithmic @returns {uPlot.Axis} */
function valueAxis(element, show, isLogarithmic) {
  return {
    ...axisLooks(element),
    size: isLogarithmic ? 62 : 48,
    ...(isLogarithmic && {
      grid: {
        ...axisLooks(element).grid,
        filter: (_plot, values) => values.map((value) => (isShown(value, true) ? value : null)),
      },
    }),
    values: (_plot, values) => values.map((value) => (isShown(value, isLogarithmic) ? show(value) : '')),
  }
}

/** Of whole numbers only the whole ones, and of a logarithmic axis the powers of ten. @param {number | null} value @param {boolean} isLogarithmic */
function isShown(value, isLogarithmic) {
  if (value === null) return false
  return isLogarithmic ? Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6 : Number.isInteger(value)
}

/** @type {uPlot.Scale} */
const fromZero = { range: (_plot, _least, most) => [0, Math.max(4, (most ?? 0) * 1.15)] }

/** Quantiles lie far apart: on a plain axis the slowest would press all others flat. @type {uPlot.Scale} */
const logarithmic = {
  distr: 3,
  log: 10,
  range: (_plot, least, most) => [10 ** Math.floor(Math.log10(least || 0.1)), 10 ** Math.ceil(Math.log10((most || 1) * 1.01))],
}

/** @param {Element} element @param {Line} line @returns {uPlot.Series} */
function seriesOf(element, { title, colour, dash = [] }) {
  const stroke = colourOf(element, colour)
  const isMain = dash.length === 0
  return {
    label: title,
    stroke,
    width: 2,
    dash,
    points: { show: false },
    ...(isMain && { fill: stroke.replace('rgb(', 'rgba(').replace(')', ', 0.12)') }),
  }
}
