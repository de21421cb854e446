#!/usr/bin/env node
import { run } from './lib/program.js'
import { processTerminal } from './lib/terminal.js'

process.exitCode = await run(process.argv.slice(2), processTerminal())
