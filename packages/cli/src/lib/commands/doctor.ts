import { serversOf } from '@fieldwise/memcached/servers'
import { type Duration, parseDuration } from 'fieldwise'
import type { AddCommand } from '../command.js'
import { cookieFindings } from '../doctor/cookie-findings.js'
import { diagnose } from '../doctor/diagnosis.js'
import type { Intentions } from '../doctor/examination.js'
import { printReport, reportOf } from '../doctor/report.js'
import { exitCode } from '../exit-code.js'
import {
  addServerOptions,
  parseServersArgument,
  type ServerOptions,
  serversHelp,
  storeOptions,
  timeoutOf,
  tlsOptions,
} from '../server-options.js'

interface DoctorOptions extends ServerOptions {
  readonly idle: Duration
  readonly caches?: string
  readonly cookieDomain?: string
  readonly host?: readonly string[]
}

/** `fieldwise doctor`: what is wrong with the servers, before it hurts. */
export const addDoctor: AddCommand = (program, { terminal, end }) => {
  addServerOptions(program.command('doctor').argument('[servers]', serversHelp))
    .description('check memcached servers for what loses sessions or exposes them')
    .option('--idle <duration>', "the app's lifetime.idle, against which evictions are judged", '30m')
    .option('--caches <servers>', 'those of the servers that hold cached values of fieldwise/shared as well')
    .option('--cookie-domain <domain>', "the app's cookie.domain, checked against each --host")
    .option('--host <name>', 'a host name under which browsers see the app; may be repeated', collect)
    .addHelpText('after', help)
    .action(async (servers: string | undefined, options: DoctorOptions) => {
      const report = await examineAll(servers, options)
      if (options.json) terminal.write(`${JSON.stringify(report)}\n`)
      else printReport(report, terminal)
      if (report.dangers > 0) end(exitCode.found)
    })
}

async function examineAll(servers: string | undefined, options: DoctorOptions) {
  const intentions = intentionsOf(options)
  const diagnoses = await Promise.all(configsOf(servers, options).map((config) => diagnose(config, intentions)))
  return reportOf(diagnoses, await cookieFindings(options.host ?? [], options.cookieDomain))
}

function configsOf(servers: string | undefined, options: DoctorOptions) {
  return serversOf(parseServersArgument(servers), storeOptions(options, options.protocol ?? 'binary'))
}

function intentionsOf(options: DoctorOptions): Intentions {
  const { username, password, protocol, idle, caches } = options
  return {
    credentials: username === undefined || password === undefined ? undefined : { username, password },
    tls: tlsOptions(options),
    protocol,
    timeout: timeoutOf(options),
    idle: parseDuration(idle),
    caches: new Set(caches === undefined ? [] : configsOf(caches, options).map(({ name }) => name)),
  }
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

const help = `
Exit codes: 0 no danger, 1 a danger was found, 2 wrong usage.

Examples:
  $ fieldwise doctor 10.0.0.1:11211,10.0.0.2:11211
  $ FIELDWISE_PASSWORD=… fieldwise doctor cache-1 --username shop --ca ca.pem
  $ fieldwise doctor cache-1 --cookie-domain example.com --host www.example.com --host avatar.example.com
`
