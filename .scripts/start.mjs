// npm start: from a bare clone to the running demo.
import './node-version.mjs'
import './end-with-npm.mjs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, install, must, root } from './workspace.mjs'

await install()
console.error('Building')
must(await build(), 'The build failed.')

// In this process, so that signals and the exit code are the demo's own.
const demo = join(root, 'examples/two-servers/dist/main.js')
process.argv[1] = demo
await import(pathToFileURL(demo).href)
