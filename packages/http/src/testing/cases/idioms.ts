import { expect } from 'vitest'
import type { Case } from '../case.js'
import { foreignIdioms } from '../routes.js'

/** What somebody who comes from express-session writes. */
export const idioms: readonly Case[] = [
  ...Object.entries(foreignIdioms).map(
    ([path, { named }]): Case => ({
      title: `what would do nothing is refused by name: ${path}`,
      async run({ visitor }) {
        expect((await visitor.get(path)).body).toContain(named)
      },
    }),
  ),
]
