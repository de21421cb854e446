import type { Grid } from './grid.js'

/** Where a run is watched: figures go to the standard output as they come, what is under way to the standard error. */
export class Screen {
  readonly #shown = new Set<Grid>()
  #said = 0

  /** What is under way: a line that the next one replaces, or where nobody watches one every ten seconds. */
  step(text: string): void {
    if (process.stderr.isTTY) return void process.stderr.write(`\r\x1b[K${text}`)
    if (performance.now() - this.#said < 10_000) return
    this.say(text)
  }

  /** A line that stays. */
  say(text: string): void {
    this.#said = performance.now()
    this.#clear()
    process.stderr.write(`${text}\n`)
  }

  /** Figures, once. Gives them back. */
  show(grid: Grid): Grid {
    if (this.#shown.has(grid)) return grid
    this.#shown.add(grid)
    this.#clear()
    process.stdout.write(`\n${asText(grid)}\n`)
    return grid
  }

  #clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  }
}

/** Names to the left, figures to the right. */
export function asText({ caption, columns, rows }: Grid): string {
  const lines = [columns, ...rows]
  const widths = columns.map((_, index) => Math.max(...lines.map((cells) => (cells[index] ?? '').length)))
  const aligned = lines.map((cells) =>
    cells.map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0))).join('  '),
  )
  return [caption, ...aligned].join('\n')
}
