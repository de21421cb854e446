// Transpiles the core and the simulation into a folder of their own and runs one of the simulation's programs from there:
//   npm run simulation -- [histories of each scenario] [scenario …]
//   npm run rules -- [rule …]
//   npm run replay -- <scenario> <seed> [rule]
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))
const sources = ['packages/fieldwise/src', 'test/simulation']
const coreFolder = 'packages/fieldwise/src/lib'

/** @typedef {{ file: string, from: string, to: string }} Replacement in a file of the core's `src/lib` */

/**
 * A copy of the core and the simulation as JavaScript, in the repository's own layout.
 *
 * @param {readonly Replacement[]} replacements each must be found exactly once
 * @returns {string} the folder, to be given to {@link discard}
 */
export function compile(replacements = []) {
  const out = mkdtempSync(join(tmpdir(), 'fieldwise-simulation-'))
  for (const folder of sources) {
    for (const file of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (/\.ts$/.test(file) && !/\.(test|test-d|d)\.ts$/.test(file)) transpile(out, join(folder, file), replacements)
    }
  }
  writeFileSync(join(out, 'package.json'), '{ "type": "module" }')
  for (const folder of ['packages/fieldwise', 'test']) {
    symlinkSync(join(root, 'packages/fieldwise/node_modules'), join(out, folder, 'node_modules'))
  }
  return out
}

/** @param {string} out */
export function discard(out) {
  rmSync(out, { recursive: true })
}

/**
 * @param {string} out
 * @param {string} file
 * @param {readonly Replacement[]} replacements
 */
function transpile(out, file, replacements) {
  const source = replacements
    .filter((replacement) => join(coreFolder, replacement.file) === file)
    .reduce(replaceOnce, readFileSync(join(root, file), 'utf8'))
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
  })
  const target = join(out, file.replace(/\.ts$/, '.js'))
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, outputText)
}

/**
 * What keeps replacements from being made: sources that have moved on.
 *
 * @param {readonly Replacement[]} replacements
 */
export function check(replacements) {
  return replacements.flatMap(({ file, from }) => {
    const found = readFileSync(join(root, coreFolder, file), 'utf8').split(from).length - 1
    return found === 1 ? [] : [`${file} holds this ${found} times, not once:\n${from}`]
  })
}

/**
 * @param {string} source
 * @param {Replacement} replacement
 */
function replaceOnce(source, { file, from, to }) {
  const parts = source.split(from)
  if (parts.length !== 2) throw new Error(`${file} holds this ${parts.length - 1} times, not once:\n${from}`)
  return parts.join(to)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [program, ...rest] = process.argv.slice(2)
  const out = compile()
  try {
    const { main } = await import(join(out, `test/simulation/${program}.js`))
    process.exitCode = await main(rest, { check, compile, discard, root })
  } finally {
    discard(out)
  }
}
