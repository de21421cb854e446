const svg = 'http://www.w3.org/2000/svg'

/**
 * Draws what was kept against what was sent, a line for each lane, and a dotted one for "nothing lost".
 * @param {SVGSVGElement} chart @param {readonly import('./lane.js').Lane[]} lanes
 */
export function drawChart(chart, lanes) {
  const width = chart.clientWidth
  const height = chart.clientHeight
  const total = lanes[0]?.total || 600
  const edge = { left: 52, right: width - 14, top: 34, bottom: height - 46 }
  /** @param {number} sent */
  const x = (sent) => edge.left + ((edge.right - edge.left) * sent) / total
  /** @param {number} kept */
  const y = (kept) => edge.bottom - ((edge.bottom - edge.top) * kept) / total
  chart.setAttribute('viewBox', `0 0 ${width} ${height}`)
  chart.replaceChildren(
    ...[0, 0.25, 0.5, 0.75, 1].flatMap((part) => {
      const mark = Math.round(total * part)
      return [
        line('grid', [edge.left, y(mark)], [edge.right, y(mark)]),
        label('end', edge.left - 8, y(mark) + 4, mark),
        label('middle', x(mark) - (part === 1 ? 8 : 0), edge.bottom + 18, mark),
      ]
    }),
    label('middle', (edge.left + edge.right) / 2, height - 6, 'sent'),
    label('end', edge.left - 8, 14, 'kept'),
    line('ideal', [x(0), y(0)], [x(total), y(total)]),
    ...lanes.flatMap((lane) => course(lane, x, y)),
  )
}

/**
 * The line of a lane, with the figure at its end.
 * @param {import('./lane.js').Lane} lane @param {(sent: number) => number} x @param {(kept: number) => number} y
 */
function course(lane, x, y) {
  const end = lane.course.at(-1)
  if (end === undefined) return []
  const points = lane.course.map(({ sent, kept }) => `${x(sent)},${y(kept)}`).join(' ')
  return [
    element('polyline', { class: lane.name, points }),
    element('circle', { class: lane.name, cx: x(end.sent), cy: y(end.kept), r: 4.5 }),
    label(`figure end ${lane.name}`, x(end.sent) - 10, y(end.kept) - 8, end.kept),
  ]
}

/** @param {string} style @param {readonly [number, number]} from @param {readonly [number, number]} to */
function line(style, [x1, y1], [x2, y2]) {
  return element('line', { class: style, x1, y1, x2, y2 })
}

/** @param {string} style @param {number} x @param {number} y @param {string | number} text */
function label(style, x, y, text) {
  const made = element('text', { class: style, x, y })
  made.textContent = text.toLocaleString('en')
  return made
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function element(name, attributes) {
  const made = document.createElementNS(svg, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  return made
}
