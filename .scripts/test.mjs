// npm test: from a bare clone to the whole suite. Arguments go to vitest: `npm test -- packages/http`.
import './node-version.mjs'
import './end-with-npm.mjs'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { forTests, installPrograms } from './programs.mjs'
import { build, install, root } from './workspace.mjs'

await install()
installPrograms(forTests)
// Types are checked by `npm run types`. What cannot be built fails in the tests that need it; here it is only said.
const { code, output } = await build()
if (code !== 0) console.error(`${output}\nThe build failed. Testing what there is.\n`)

const vitest = join(root, 'node_modules/vitest/vitest.mjs')
const args = ['--config', 'test/vitest.config.ts', ...process.argv.slice(2)]
const child = spawn(process.execPath, [vitest, 'run', ...args], { cwd: root, stdio: 'inherit' })
// A terminal sends Ctrl-C to both; vitest ends on it, and this process reports how.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill())
child.on('exit', (status) => process.exit(status ?? 1))
