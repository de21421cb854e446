import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import type { Scale } from './table.js'

const require = createRequire(import.meta.url)
const clients = ['memjs', 'memcached', 'memcache-client', 'ioredis', 'redis']
const libraries = ['express', 'express-session', 'connect-memcached', 'connect-redis', 'zod']

/** What one has to know to judge figures: how, when and where they came about. */
export function stamp(command: string, scale: Scale, seconds: number): string {
  const quick = scale.isQuick ? ' **A quick run: fewer and shorter repeats than figures should rest on.**' : ''
  return [
    `\`${command}\`, ${scale.repeats} repeats, ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC, ${Math.round(seconds)} s.${quick}`,
    `${machine()}.`,
    versions(),
  ].join('\n')
}

/** The load counts what else was going on. */
function machine(): string {
  const processors = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  const load = loadavg().map((value) => value.toFixed(1))
  return `${processors.length} × ${processors[0]?.model.trim()}, ${memory} GiB, Linux ${release()}, Node ${process.versions.node}, load average ${load.join(' ')}`
}

function versions(): string {
  const programs = [`memcached ${versionOf('memcached', '-V')}`, `redis-server ${versionOf('redis-server', '--version')}`]
  const packages = (names: readonly string[]) => names.map((name) => `${name} ${manifestOf(name).version}`)
  const lines = [[`Fieldwise at ${commit()}`, ...programs], packages(clients), packages(libraries)]
  return `${lines.map((line) => line.join(', ')).join(',\n')}.`
}

function versionOf(program: string, flag: string): string {
  return /\d+\.\d+\.\d+/.exec(execFileSync(program, [flag], { encoding: 'utf8' }))?.[0] ?? '?'
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'an unknown commit'
  }
}

/** Some packages do not export their `package.json`. */
function manifestOf(name: string): { readonly version: string } {
  const paths = require.resolve.paths(name) ?? []
  for (const path of paths) {
    try {
      return JSON.parse(readFileSync(join(path, name, 'package.json'), 'utf8'))
    } catch {}
  }
  throw new Error(`${name} is not installed below ${dirname(paths[0] ?? '')}`)
}
