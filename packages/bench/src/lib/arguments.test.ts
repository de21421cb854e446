import { expect, test } from 'vitest'
import { parseArguments } from './arguments.js'
import type { Table } from './table.js'

const size = { name: 'size' } as Table
const lean = { name: 'lean' } as Table

test('no table is all of them, and nothing is written', () => {
  expect(parseArguments([], [size, lean])).toMatchObject({ tables: [size, lean], isQuick: false, writes: false })
})

test('files are written when that is asked for', () => {
  expect(parseArguments(['--write', '--quick', 'lean'], [size, lean])).toMatchObject({
    tables: [lean],
    isQuick: true,
    writes: true,
    command: 'npm run bench -- --write --quick lean',
  })
})
