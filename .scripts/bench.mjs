// npm run bench: from a bare clone to figures. Arguments name tables: `npm run bench -- --quick clients`.
import './node-version.mjs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { forBenchmarks, installPrograms } from './programs.mjs'
import { build, install, must, root } from './workspace.mjs'

await install()
installPrograms(forBenchmarks)
must(await build(), 'The build failed.')

await import(pathToFileURL(join(root, 'packages/bench/dist/main.js')).href)
