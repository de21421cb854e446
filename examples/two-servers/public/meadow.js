/**
 * A field with a place for each request of a lane: empty before it is sent, a ring when it is sent, a flower when it is kept.
 */
export class Meadow {
  /** How far each flower is open, from 0 to 1. */
  #open = new Float32Array(0)
  #last = 0
  #context
  #canvas
  /** @type {HTMLCanvasElement[]} */
  #flowers = []
  #size = 0
  #columns = 1

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas
    this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
  }

  /** Draws the lane as it is now. Whether flowers are still opening. @param {import('./lane.js').Lane} lane @param {number} now */
  draw(lane, now) {
    const total = lane.total || 600
    this.#fit(total)
    const moving = this.#grow(lane.kept, now)
    const colours = getComputedStyle(this.#canvas)
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height)
    for (let place = 0; place < total; place++) this.#drawPlace(place, lane, colours)
    return moving
  }

  /** Chooses the columns that fill the width best, for this many places. @param {number} total */
  #fit(total) {
    const scale = devicePixelRatio
    const width = Math.round(this.#canvas.clientWidth * scale)
    const columns = Math.ceil(Math.sqrt(total * 2.2))
    const size = width / columns
    const height = Math.round(size * Math.ceil(total / columns))
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height })
    if (this.#open.length !== total) this.#open = new Float32Array(total)
    if (this.#size !== size) this.#flowers = petals.map((colour, index) => flower(size, colour, index))
    this.#size = size
    this.#columns = columns
  }

  /** Opens and closes flowers by what is kept. @param {number} kept @param {number} now */
  #grow(kept, now) {
    const step = still.matches ? 1 : Math.min(now - this.#last, 50) / 320
    this.#last = now
    let moving = false
    for (let place = 0; place < this.#open.length; place++) {
      const open = /** @type {number} */ (this.#open[place])
      const aim = place < kept ? 1 : 0
      if (open === aim) continue
      this.#open[place] = aim > open ? Math.min(aim, open + step) : Math.max(aim, open - step)
      moving = true
    }
    return moving
  }

  /** @param {number} place @param {import('./lane.js').Lane} lane @param {CSSStyleDeclaration} colours */
  #drawPlace(place, lane, colours) {
    const size = this.#size
    const x = (place % this.#columns) * size + size / 2
    const y = Math.floor(place / this.#columns) * size + size / 2
    const open = /** @type {number} */ (this.#open[place])
    if (open < 1) this.#drawSeed(x, y, place < lane.sent, colours)
    if (open === 0) return
    const width = size * spring(open)
    const picture = /** @type {HTMLCanvasElement} */ (this.#flowers[scatter(place)])
    this.#context.drawImage(picture, x - width / 2, y - width / 2, width, width)
  }

  /** @param {number} x @param {number} y @param {boolean} sent @param {CSSStyleDeclaration} colours */
  #drawSeed(x, y, sent, colours) {
    const pen = this.#context
    pen.beginPath()
    pen.arc(x, y, this.#size * (sent ? 0.26 : 0.09), 0, 2 * Math.PI)
    if (sent) {
      pen.strokeStyle = colours.color
      pen.lineWidth = Math.max(1, this.#size * 0.09)
      pen.stroke()
    } else {
      pen.fillStyle = colours.borderTopColor
      pen.fill()
    }
  }
}

const still = matchMedia('(prefers-reduced-motion: reduce)')
const petals = ['#d8472f', '#4f74dd', '#e9a91f', '#d06aa0']

/** A flower, drawn once for each size and colour. @param {number} size @param {string} colour @param {number} turn */
function flower(size, colour, turn) {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = Math.ceil(size)
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
  pen.translate(size / 2, size / 2)
  pen.rotate(turn)
  pen.fillStyle = colour
  for (let petal = 0; petal < 5; petal++) {
    pen.rotate((2 * Math.PI) / 5)
    pen.beginPath()
    pen.ellipse(0, -size * 0.24, size * 0.17, size * 0.22, 0, 0, 2 * Math.PI)
    pen.fill()
  }
  pen.fillStyle = colour === '#e9a91f' ? '#7a4a12' : '#ffe08a'
  pen.beginPath()
  pen.arc(0, 0, size * 0.13, 0, 2 * Math.PI)
  pen.fill()
  return canvas
}

/** Opens a little too far before it settles. @param {number} open */
function spring(open) {
  return open === 1 ? 1 : 1 + 2.7 * (open - 1) ** 3 + 1.7 * (open - 1) ** 2
}

/** Which colour grows where: looks like chance, is always the same. @param {number} place */
function scatter(place) {
  const stirred = Math.imul(place + 1, 0x9e37_79b1)
  return (Math.imul(stirred ^ (stirred >>> 15), 0x85eb_ca77) >>> 28) % petals.length
}
