// npm run torture: every promise at the size that is promised, with one table in the end. Takes about an hour.
//   npm run torture                  all of it
//   npm run torture -- fleet seal   the test files whose path holds one of these words
//   npm run torture -- simulation   the simulated histories alone
//   npm run torture -- linearizability   real processes that stop, restart and evict
// FIELDWISE_SEED repeats a run; without it one is drawn. FIELDWISE_SIZE is 10 for what is promised, 1 for what `.ci/run` tries.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const seed = process.env.FIELDWISE_SEED ?? String(Math.floor(Math.random() * 0x1_0000_0000))
const size = process.env.FIELDWISE_SIZE ?? '10'
const env = { ...process.env, FIELDWISE_SEED: seed, FIELDWISE_SIZE: size }
const fullHistories = 100_000

/**
 * @typedef {object} Row
 * @property {string} promise
 * @property {string} size
 * @property {string} result
 * @property {boolean} isKept
 * @property {number} seconds
 */

const words = process.argv.slice(2)
const isWanted = (/** @type {string} */ path) => words.length === 0 || words.some((word) => path.includes(word))

/** @type {Row[]} */
const rows = []
console.log(`seed ${seed}: repeat with FIELDWISE_SEED=${seed}\n`)
for (const file of scaledTests().filter(isWanted)) rows.push(...(await runTests(file)))
if (isWanted('simulation')) rows.push(...(await runSimulation()))
printTable(rows)
process.exitCode = rows.length > 0 && rows.every(({ isKept }) => isKept) ? 0 : 1

/** The test files whose size depends on FIELDWISE_SIZE, and those that say what they measured. */
function scaledTests() {
  const folders = readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'src'))
  return [...folders, 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => join(folder, file))
      .filter((file) => file.endsWith('.test.ts') && /\b(scaled|measured)\(/.test(readFileSync(join(root, file), 'utf8'))),
  )
}

/**
 * @param {string} file
 * @returns {Promise<Row[]>}
 */
async function runTests(file) {
  const folder = mkdtempSync(join(tmpdir(), 'fieldwise-torture-'))
  const report = join(folder, 'report.json')
  const options = ['--config', 'test/vitest.config.ts', '--testTimeout=3600000', '--reporter=default', '--reporter=json']
  const start = performance.now()
  await run('node_modules/vitest/vitest.mjs', ['run', ...options, `--outputFile.json=${report}`, file])
  try {
    return rowsOf(file, JSON.parse(readFileSync(report, 'utf8')))
  } catch {
    const seconds = (performance.now() - start) / 1_000
    return [{ promise: file, size: '', result: 'the tests could not be run', isKept: false, seconds }]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * @typedef {object} Assertion
 * @property {string} fullName
 * @property {string} status
 * @property {number} [duration] in milliseconds
 * @property {{ measured?: { size: string, figures: string } }} meta
 */

/**
 * A row for each test that says what it measured, and one for all others of the file.
 *
 * @param {string} file
 * @param {{ testResults: { assertionResults: Assertion[] }[] }} report
 * @returns {Row[]}
 */
function rowsOf(file, { testResults }) {
  const assertions = testResults.flatMap(({ assertionResults }) => assertionResults).filter(({ status }) => status !== 'skipped')
  const others = assertions.filter(({ meta }) => !meta.measured)
  const told = assertions.flatMap((assertion) => {
    const { measured } = assertion.meta
    if (!measured) return []
    const row = { promise: assertion.fullName.trim(), size: measured.size, result: measured.figures }
    return [{ ...row, isKept: isPassed(assertion), seconds: secondsOf([assertion]) }]
  })
  if (assertions.length > 0 && others.length === 0) return told
  const passed = others.filter(isPassed).length
  const rest = { promise: file, size: `${others.length} tests`, result: `${passed} passed, ${others.length - passed} failed` }
  return [...told, { ...rest, isKept: others.length > 0 && passed === others.length, seconds: secondsOf(others) }]
}

/** @param {Assertion} assertion */
function isPassed({ status }) {
  return status === 'passed'
}

/** @param {Assertion[]} assertions */
function secondsOf(assertions) {
  return assertions.reduce((sum, { duration = 0 }) => sum + duration, 0) / 1_000
}

/** @returns {Promise<Row[]>} */
async function runSimulation() {
  const histories = Math.round((fullHistories * Number(size)) / 10)
  const start = performance.now()
  const { code, output } = await run('test/simulation/launch.mjs', ['torture', String(histories)])
  const found = [...output.matchAll(/^(\S+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$/gm)]
  const played = found.map(([, scenario = '', count = '', violations = '', calls = '', unknown = '', rate = '']) => ({
    promise: `simulated histories: ${scenario}`,
    size: `${Number(count).toLocaleString('en-US')} histories, ${Number(calls).toLocaleString('en-US')} calls`,
    result: `${violations} violations, ${Number(unknown).toLocaleString('en-US')} unknown outcomes`,
    isKept: violations === '0',
    seconds: Number(count) / Math.max(1, Number(rate)),
  }))
  if (code === 0 && played.length > 0) return played
  const seconds = (performance.now() - start) / 1_000
  return [...played, { promise: 'simulated histories', size: '', result: `ended with code ${code}`, isKept: false, seconds }]
}

/**
 * Runs one of our programs, shows what it prints and gives it back.
 *
 * @param {string} program
 * @param {string[]} args
 * @returns {Promise<{ code: number | null, output: string }>}
 */
function run(program, args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, program), ...args], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
      process.stdout.write(chunk)
    })
    child.on('close', (code) => resolve({ code, output }))
  })
}

/** @param {Row[]} all */
function printTable(all) {
  const cells = [
    ['promise', 'size', 'result', 'kept', 'seconds', 'seed'],
    ...all.map((row) => [row.promise, row.size, row.result, row.isKept ? 'yes' : 'NO', row.seconds.toFixed(0), seed]),
  ]
  console.log('')
  for (const [index, row] of cells.entries()) {
    console.log(`| ${row.join(' | ')} |`)
    if (index === 0) console.log(`|${row.map(() => ' --- |').join('')}`)
  }
  console.log(`\n${all.filter(({ isKept }) => isKept).length} kept, ${all.filter(({ isKept }) => !isKept).length} not kept`)
}
