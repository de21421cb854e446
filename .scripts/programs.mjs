import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const memcached = { name: 'memcached', isThere: () => onPath('memcached'), packages: ['memcached'] }

/** What tests use besides Node: no test is left out where one is missing. Each with the Debian packages that bring it. */
export const forTests = [
  memcached,
  { name: 'Chromium', isThere: () => onPath('chromium'), packages: ['chromium', 'fonts-liberation'] },
  { name: 'nginx', isThere: () => onPath('nginx'), packages: ['nginx-light'] },
  { name: 'OpenSSL', isThere: () => onPath('openssl'), packages: ['openssl'] },
  { name: 'saslpasswd2', isThere: () => onPath('saslpasswd2'), packages: ['sasl2-bin'] },
  { name: 'the SASL plugins', isThere: hasSaslPlugins, packages: ['libsasl2-modules'] },
]

/** What the benchmarks run. */
export const forBenchmarks = [
  memcached,
  { name: 'redis-server', isThere: () => onPath('redis-server'), packages: ['redis-server'] },
]

/**
 * Installs the programs that are missing, where this user may; otherwise says what to install, and ends.
 *
 * @param {typeof forTests} wanted
 */
export function installPrograms(wanted) {
  const missing = wanted.filter((program) => !program.isThere())
  if (missing.length === 0) return
  const names = missing.map((program) => program.name).join(', ')
  const packages = missing.flatMap((program) => program.packages)
  const prefix = privileges()
  if (prefix === undefined || !onPath('apt-get')) giveUp(`This needs ${names}.`, packages)
  console.error(`Installing ${names} (${packages.join(' ')})`)
  const apt = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-o', 'DPkg::Lock::Timeout=120']
  const done = succeeds([...apt, 'update']) && succeeds([...apt, 'install', '-y', '--no-install-recommends', ...packages])
  if (!done || !missing.every((program) => program.isThere())) giveUp(`${names}: installing failed.`, packages)
}

/** @returns {string[] | undefined} what to put before a command of the system's administrator, if this user may run one. */
function privileges() {
  if (process.getuid?.() === 0) return []
  return onPath('sudo') && spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : undefined
}

/**
 * @param {string} reason
 * @param {string[]} packages
 * @returns {never}
 */
function giveUp(reason, packages) {
  console.error(
    `${reason} On Debian or Ubuntu:\n  sudo apt-get install ${packages.join(' ')}\nElsewhere install the same programs by hand.`,
  )
  process.exit(1)
}

/** @param {string} program */
function onPath(program) {
  // Debian keeps some of these where only root's PATH leads.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  return folders.some((folder) => existsSync(join(folder, program)))
}

function hasSaslPlugins() {
  if (!onPath('dpkg')) return true
  return spawnSync('dpkg', ['-s', 'libsasl2-modules'], { encoding: 'utf8' }).stdout.includes('ok installed')
}

/** @param {string[]} command */
function succeeds([program = '', ...args]) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) console.error(`${stdout}${stderr}`)
  return status === 0
}
