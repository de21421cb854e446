import type { Chart } from './chart.js'
import type { Grid } from './grid.js'
import type { Screen } from './screen.js'

/** How much is measured. */
export interface Scale {
  readonly isQuick: boolean
  /** How often each candidate has its turn. */
  readonly repeats: number
  /** Where figures are shown as they come. */
  readonly screen: Screen
}

/** One of the tables that `npm run bench` makes. */
export interface Table {
  readonly name: string
  readonly title: string
  run(scale: Scale): Promise<Section>
}

/** What a table says in the results. */
export interface Section {
  /** Markdown: what was measured, and how to read it. */
  readonly text: string
  readonly grids: readonly Grid[]
  readonly charts: readonly Chart[]
}
