import { count } from '../lib/figures.js'
import { median } from '../lib/statistics.js'
import type { Scale, Section, Table } from '../lib/table.js'
import { type Compiled, compile } from './compiler.js'
import { withSchemaAlone, withSessions } from './program.js'

const fieldCounts = [10, 50, 200]

export const typesTable: Table = {
  name: 'types',
  title: 'Types: what the compiler has to do',
  async run(scale: Scale): Promise<Section> {
    const results = fieldCounts.map((fields) => ({
      fields,
      alone: compileRepeatedly(withSchemaAlone(fields), scale),
      whole: compileRepeatedly(withSessions(fields), scale),
    }))
    return {
      text,
      grids: [
        {
          caption: 'instantiations of types',
          columns: [
            'fields',
            'the schema alone',
            'with sessions',
            'more, each field',
            'types, alone',
            'types, with sessions',
            's, alone',
            's, with sessions',
          ],
          rows: results.map(({ fields, alone, whole }) => [
            String(fields),
            alone.instantiations.toLocaleString('en'),
            whole.instantiations.toLocaleString('en'),
            count((whole.instantiations - alone.instantiations) / fields),
            alone.types.toLocaleString('en'),
            whole.types.toLocaleString('en'),
            alone.seconds.toFixed(2),
            whole.seconds.toFixed(2),
          ]),
        },
      ],
      charts: [
        {
          name: 'types',
          title: 'Instantiations of types, by the number of fields',
          unit: 'instantiations; less is better',
          kind: 'bars',
          categories: results.map(({ fields }) => `${fields} fields`),
          series: [
            { name: 'the schema alone', values: results.map(({ alone }) => alone.instantiations) },
            { name: 'with sessions', values: results.map(({ whole }) => whole.instantiations) },
          ],
        },
      ],
    }
  },
}

const text = `A program of one file whose schema has texts, numbers, lists and objects by turns, checked by TypeScript 6:
first the schema with \`z.infer\`, then \`createSessions\` with the calls of an application on ten of the fields.
The counts are the same on every machine.
The seconds are the median of the repeats, checking alone.`

function compileRepeatedly(program: string, scale: Scale): Compiled {
  compile(program)
  const all = Array.from({ length: scale.repeats }, () => compile(program))
  return { ...(all[0] as Compiled), seconds: median(all.map(({ seconds }) => seconds)) }
}
