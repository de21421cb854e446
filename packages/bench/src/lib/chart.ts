import { createRequire } from 'node:module'

// Its types do not compile under `exactOptionalPropertyTypes`.
const { init } = createRequire(import.meta.url)('echarts') as Echarts

interface Echarts {
  init(place: null, theme: null, options: object): Canvas
}

interface Canvas {
  setOption(options: object): void
  renderToSVGString(): string
  dispose(): void
}

/** Bars in groups: one colour a series, one group a category. */
export interface Chart {
  /** The file's name, without its ending. */
  readonly name: string
  readonly title: string
  /** What the axis counts. */
  readonly unit: string
  readonly kind: 'bars' | 'lines'
  readonly categories: readonly string[]
  readonly series: readonly Series[]
}

interface Series {
  readonly name: string
  readonly values: readonly number[]
}

/** The chart as SVG text: black on white, so that it can be read on a dark page too. */
export function drawSvg(chart: Chart): string {
  const isBars = chart.kind === 'bars'
  const bars = isBars ? chart.categories.length * chart.series.length : 0
  const canvas = init(null, null, { renderer: 'svg', ssr: true, width: 900, height: isBars ? 130 + bars * 16 : 440 })
  try {
    canvas.setOption({ ...common(chart), ...(isBars ? horizontal(chart) : vertical(chart)) })
    return `${canvas.renderToSVGString()}\n`
  } finally {
    // It keeps timers and itself in a list otherwise.
    canvas.dispose()
  }
}

function common({ title, unit, kind, series }: Chart) {
  return {
    animation: false,
    backgroundColor: '#ffffff',
    title: { text: title, subtext: unit, left: 12, top: 8, textStyle: { fontSize: 16 } },
    legend: { show: series.length > 1, top: 60, left: 12 },
    grid: { left: 12, right: 40, top: 100, bottom: 16, containLabel: true },
    series: series.map(({ name, values }) => ({
      name,
      type: kind === 'bars' ? 'bar' : 'line',
      data: values,
      ...(kind === 'bars' ? { label: { show: true, position: 'right', fontSize: 10, formatter: label } } : {}),
    })),
  }
}

function horizontal({ categories }: Chart) {
  return { xAxis: { type: 'value' }, yAxis: { type: 'category', data: categories, inverse: true } }
}

function vertical({ categories }: Chart) {
  return { xAxis: { type: 'category', data: categories }, yAxis: { type: 'value' } }
}

function label({ value }: { value: unknown }): string {
  return Number(Number(value).toPrecision(3)).toLocaleString('en')
}
