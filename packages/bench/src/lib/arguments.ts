import type { Scale, Table } from './table.js'

interface Arguments {
  readonly tables: readonly Table[]
  readonly scale: Scale
  /** What was typed. */
  readonly command: string
}

/** `[--quick] [table…]`; no table is all of them. Ends this process for anything else. */
export function parseArguments(words: readonly string[], all: readonly Table[]): Arguments {
  const names = words.filter((word) => word !== '--quick')
  const known = all.map(({ name }) => name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    process.stderr.write(`There is no table '${unknown}'.\nUsage: pnpm bench [--quick] [table…]\nTables: ${known.join(', ')}\n`)
    process.exit(2)
  }
  return {
    tables: names.length === 0 ? all : all.filter(({ name }) => names.includes(name)),
    scale: words.includes('--quick') ? { isQuick: true, repeats: 3 } : { isQuick: false, repeats: 7 },
    command: ['pnpm bench', ...words].join(' '),
  }
}
