import type { Terminal } from './terminal.js'

/** A line that grows, for somebody who watches. Where nobody does, nothing is written. */
export class ProgressBar {
  readonly #terminal: Terminal
  readonly #title: string
  readonly #whole: number

  constructor(terminal: Terminal, title: string, whole: number) {
    this.#terminal = terminal
    this.#title = title
    this.#whole = whole
  }

  show(done: number): void {
    if (!this.#terminal.watched) return
    const filled = Math.round((done / this.#whole) * width)
    const bar = '#'.repeat(filled).padEnd(width, '.')
    this.#terminal.say(`\r${this.#title} [${bar}] ${Math.floor((done / this.#whole) * 100)} %`)
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#terminal.watched) this.#terminal.say('\r\u001b[K')
  }
}

const width = 40
