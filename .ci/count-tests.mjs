// Prints `passed failed` of a vitest report: node .ci/count-tests.mjs <report> <exit code of the run>
import { readFileSync } from 'node:fs'

const [path = '', status] = process.argv.slice(2)
const report = read(path)

let failed = report.numFailedTests
// A test that is left out proves nothing, so it counts as a failure.
const leftOut = report.numPendingTests + report.numTodoTests
if (leftOut > 0) {
  console.error(`${leftOut} tests were left out`)
  failed += leftOut
}
// A file that cannot be loaded, an error outside of any test, no test at all.
if (status !== '0' && failed === 0) failed = 1
console.log(report.numPassedTests, failed)

/** @param {string} path */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 }
  }
}
