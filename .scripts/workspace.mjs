import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Without network npm would say so after a minute, and nothing at all under `npm start --silent`. */
const npmSettings = { npm_config_loglevel: 'error', npm_config_fetch_retry_mintimeout: '1000' }

/** Installs what the lockfile names, or ends this process. If all of it is there already, that is seen without the network. */
export async function install() {
  if (isInstalled()) return
  console.error('Installing dependencies')
  const installed = await run('npx --yes pnpm@12 install --frozen-lockfile')
  must(installed, 'Installing failed. It needs the npm registry once; once it has succeeded, starting does not.')
}

/** Builds all packages and examples, as far as they changed. What `npm run build` checks besides takes most of its time. */
export function build() {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return run(`${scripts.build} --noCheck`)
}

/**
 * Ends this process if a command failed, with the command's output and in one sentence what it means.
 *
 * @param {Outcome} outcome
 * @param {string} meaning
 */
export function must({ code, output }, meaning) {
  if (code === 0) return
  console.error(`${output.trimEnd()}\n\n${meaning}`)
  process.exit(code)
}

/** pnpm notes in `node_modules` which lockfile it carried out, after everything else is done. */
function isInstalled() {
  return contentOf('pnpm-lock.yaml') === contentOf('node_modules/.pnpm/lock.yaml')
}

/** @param {string} path */
function contentOf(path) {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return path
  }
}

/**
 * @typedef {{ code: number, output: string }} Outcome
 * @param {string} command
 * @returns {Promise<Outcome>}
 */
function run(command) {
  const PATH = [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter)
  const env = { ...process.env, PATH, ...npmSettings }
  const child = spawn(command, { cwd: root, shell: true, env, stdio: ['ignore', 'pipe', 'pipe'] })
  /** @type {Buffer[]} */
  const chunks = []
  child.stdout.on('data', (chunk) => chunks.push(chunk))
  child.stderr.on('data', (chunk) => chunks.push(chunk))
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }))
  })
}
