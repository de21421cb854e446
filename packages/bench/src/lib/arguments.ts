import type { Table } from './table.js'

interface Arguments {
  readonly tables: readonly Table[]
  readonly isQuick: boolean
  /** Whether the results and charts in the repository are to be replaced. */
  readonly writes: boolean
  /** What was typed. */
  readonly command: string
}

/** `[--quick] [--write] [table…]`; no table is all of them. Ends this process for anything else. */
export function parseArguments(words: readonly string[], all: readonly Table[]): Arguments {
  const names = words.filter((word) => word !== '--quick' && word !== '--write')
  const known = all.map(({ name }) => name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    process.stderr.write(
      `There is no table '${unknown}'.\nUsage: npm run bench -- [--quick] [--write] [table…]\nTables: ${known.join(', ')}\n`,
    )
    process.exit(2)
  }
  return {
    tables: names.length === 0 ? all : all.filter(({ name }) => names.includes(name)),
    isQuick: words.includes('--quick'),
    writes: words.includes('--write'),
    command: ['npm run bench', ...(words.length === 0 ? [] : ['--', ...words])].join(' '),
  }
}
