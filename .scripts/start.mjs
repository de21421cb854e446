// npm start: from a bare clone to the running demo, or, in the folder of an example, to that example.
import './node-version.mjs'
import './end-with-npm.mjs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, install, must, root } from './workspace.mjs'

await install()
console.error('Building')
must(await build(), 'The build failed.')

// In this process, so that signals and the exit code are the program's own.
const examples = join(root, 'examples')
const isInExample = dirname(process.cwd()) === examples
const program = join(isInExample ? process.cwd() : join(examples, 'two-servers'), 'dist/main.js')
process.argv[1] = program
await import(pathToFileURL(program).href)
