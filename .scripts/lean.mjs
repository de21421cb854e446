// Makes the code of the core small, file by file: its size counts in every program that installs it. Names of functions and classes stay, for
// stack traces, and so do the types with all they say. What `tsc` emits anew is made small by the next build.
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { minifySync } from 'rolldown/utils'
import { root } from './workspace.mjs'

const dist = join(root, 'packages/fieldwise/dist')
const keepNames = { function: true, class: true }

for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
  if (name.endsWith('.js')) makeLean(join(dist, name))
}

/** @param {string} path */
function makeLean(path) {
  const before = readFileSync(path, 'utf8')
  const { code, errors } = minifySync(path, before, {
    module: true,
    compress: { target: 'es2023', keepNames },
    mangle: { keepNames },
  })
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  if (code === before) return
  // In one step: a program that is just starting sees the one file or the other.
  writeFileSync(`${path}.lean`, code)
  renameSync(`${path}.lean`, path)
}
