import { type Command, InvalidArgumentError } from 'commander'
import type { AddCommand } from '../command.js'
import { type Served, serveInspector } from '../inspector/serve.js'
import { addServerOptions, parseServersArgument, type ServerOptions, serversHelp } from '../server-options.js'
import { resolvedOptions } from '../store.js'

interface InspectorFlags extends ServerOptions {
  readonly demo?: boolean
  readonly port: number
  readonly listen: string
  readonly allowHost: readonly string[]
  readonly production?: boolean
}

/** `fieldwise inspector`: a local page with the servers, and with `--demo` with traffic to look at. */
export const addInspector: AddCommand = (program, { terminal }) => {
  addPageOptions(addServerOptions(program.command('inspector').argument('[servers]', serversHelp)))
    .description('show the servers live on a local page')
    .addHelpText('after', help)
    .action(async (servers: string | undefined, options: InspectorFlags) => {
      await using served = await serve(servers, options)
      if (options.json) terminal.write(`${JSON.stringify({ url: served.url })}\n`)
      else terminal.write(`The inspector is at ${terminal.paint('bold', served.url)}\n${said(options)}Ctrl-C ends it.\n`)
      await untilInterrupted()
    })
}

function addPageOptions(command: Command): Command {
  return command
    .option('--demo', 'run demo visitors against these servers, so that there is something to see')
    .option('--port <port>', 'the port of the page; 0 takes a free one', parsePort, 4280)
    .option('--listen <address>', 'the address to listen on; if others can reach it, they can look too', '127.0.0.1')
    .option('--allow-host <name>', 'another name under which the page may be requested; may be repeated', collect, [])
    .option('--production', 'run even with NODE_ENV=production')
}

async function serve(servers: string | undefined, options: InspectorFlags): Promise<Served> {
  const { port, listen, allowHost: hosts, production = false, demo = false } = options
  const memcached = await resolvedOptions(servers, options)
  return serveInspector({ servers: parseServersArgument(servers), memcached, port, listen, hosts, production, demo })
}

function said({ demo }: InspectorFlags): string {
  if (demo) return 'It shows demo traffic, not the sessions of your app.\n'
  return 'It shows the servers. To see the sessions of your app, mount the inspector in the app.\n'
}

function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      process.off('SIGINT', end).off('SIGTERM', end)
      resolve()
    }
    process.on('SIGINT', end).on('SIGTERM', end)
  })
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new InvalidArgumentError('A port must be a whole number from 0 to 65535.')
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

const help = `
This process cannot see the sessions of your app; it shows the statistics of the servers. To watch your app's sessions, mount the inspector
in the app: app.use(inspector(sessions).middleware), from @fieldwise/cli/inspector.

Exit codes: 0 ended by Ctrl-C, 2 wrong usage, 3 it could not listen.

Examples:
  $ fieldwise inspector 10.0.0.1:11211,10.0.0.2:11211
  $ fieldwise inspector --demo
`
