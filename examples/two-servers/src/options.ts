import { parseArgs } from 'node:util'

/** How the demo is to run. */
export interface Options {
  readonly help: boolean
  /** Run the race without a browser, print its table and end. */
  readonly once: boolean
  /** The shop's port; the avatar server takes the next one. Without it: 4100 if both are free, else any. */
  readonly port: number | undefined
  /** `memory`, `memcached` for a private one, or the `host:port` of one that runs. Without it: memcached if it is installed. */
  readonly store: string | undefined
}

export const help = `Two web servers, one session, and a race.

  npm start                              start both servers; Ctrl-C ends them
  npm start -- --once                    run the race without a browser and print the result

  --port <number>                        port of the shop; the avatar server takes the next one (4100)
  --store memcached                      a private memcached on a free port (the default where it is installed)
  --store memory                         the store that comes with Fieldwise, both servers in one process
  --store <host:port>                    a memcached that is running already
  --help                                 this page

FIELDWISE_PORT and FIELDWISE_STORE in the environment say the same as --port and --store.`

/** @throws an error whose message is for the person at the terminal. */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      once: { type: 'boolean', default: false },
      port: { type: 'string' },
      store: { type: 'string' },
    },
  })
  return {
    help: values.help,
    once: values.once,
    port: readPort(values.port ?? env.FIELDWISE_PORT),
    store: readStore(values.store ?? env.FIELDWISE_STORE),
  }
}

function readPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const port = Number(text)
  if (!/^\d+$/.test(text) || port < 1 || port > 65_534) throw new Error(`--port is a number from 1 to 65534, not '${text}'`)
  return port
}

function readStore(text: string | undefined): string | undefined {
  if (text === undefined || text === 'memory' || text === 'memcached' || /^[\w.-]+:\d+$/.test(text)) return text
  throw new Error(`--store is memory, memcached or host:port, not '${text}'`)
}
