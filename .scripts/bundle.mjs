// The code of the core, from its sources into one file for each of its entries and one for what they share, small: its size and the time to
// load it count in every program that uses it. Names of functions and classes stay, for stack traces. Its types come from `tsc`.
//   node .scripts/bundle.mjs --readable   as it is written, for a profile; the next build makes it small again
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { root } from './workspace.mjs'

const core = join(root, 'packages/fieldwise')
const entries = ['index', 'adapter', 'store-contract']
const keepNames = { function: true, class: true }
const small = { compress: { target: 'es2023', keepNames }, mangle: { keepNames } }

const bundle = await rolldown({
  input: Object.fromEntries(entries.map((name) => [name, join(core, 'src', `${name}.ts`)])),
  external: /^(node:|uuid$|zod)/,
  platform: 'node',
})
const { output } = await bundle.generate({
  format: 'esm',
  minify: process.argv.includes('--readable') ? false : small,
  entryFileNames: '[name].js',
  chunkFileNames: 'shared.js',
  codeSplitting: { groups: [{ name: 'shared', minShareCount: 2 }] },
})
// What others load comes first, and each file in one step: a program that is just starting sees the one state or the other.
for (const part of output.toReversed()) if (part.type === 'chunk') put(join(core, 'dist', part.fileName), part.code)

/**
 * @param {string} path
 * @param {string} code
 */
function put(path, code) {
  if (existsSync(path) && readFileSync(path, 'utf8') === code) return
  writeFileSync(`${path}.new`, code)
  renameSync(`${path}.new`, path)
}
