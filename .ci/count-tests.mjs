// Prints `passed failed` of a vitest report: node .ci/count-tests.mjs <report> <exit code of the run>
import { readFileSync } from 'node:fs'

const [path = '', status] = process.argv.slice(2)
const { numPassedTests, numFailedTests, testResults } = read(path)

// A test that is left out proves nothing, so it counts as a failure. A case that a store cannot meet says why in its title.
const leftOut = testResults
  .flatMap((file) => file.assertionResults)
  .filter(({ status, title }) => !['passed', 'failed'].includes(status) && !/\(left out: .+\)$/.test(title))
for (const { fullName } of leftOut) console.error(`left out without a reason: ${fullName}`)

const failed = numFailedTests + leftOut.length
// A file that cannot be loaded, an error outside of any test, no test at all.
const brokeElsewhere = failed === 0 && (status !== '0' || numPassedTests === 0)
console.log(numPassedTests, brokeElsewhere ? 1 : failed)

/**
 * @param {string} path
 * @returns {{ numPassedTests: number, numFailedTests: number,
 *   testResults: { assertionResults: { status: string, title: string, fullName: string }[] }[] }}
 */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, testResults: [] }
  }
}
