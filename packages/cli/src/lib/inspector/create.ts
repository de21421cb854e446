import type { IncomingMessage, ServerResponse } from 'node:http'
import type { MemcachedOptions, Servers } from '@fieldwise/memcached/servers'
import { BadConfigError } from 'fieldwise'
import { assertOptions } from 'fieldwise/adapter'
import { assertAssets } from './assets.js'
import { type Checkable, FleetWatch } from './fleet.js'
import type { Source } from './frame.js'
import { type Asker, areForwarded } from './guard.js'
import { askerOf, pathnameOf, send } from './node.js'
import { Probe } from './probe.js'
import { Recorder } from './recorder.js'
import { Site } from './site.js'

/** For `inspector`. */
export interface InspectorOptions {
  /** The path of the page, as browsers ask for it. Default: `/fieldwise`. */
  readonly path?: string | undefined
  /** The memcached servers to ask for their statistics, in any form that `memcachedStore` takes. Default: none are asked. */
  readonly servers?: Servers | undefined
  /** How to speak to those servers: the options that `memcachedStore` was given. */
  readonly memcached?: MemcachedOptions | undefined
  /** Host names besides `localhost`, `*.localhost` and loopback addresses that the page may be asked for by. Default: none. */
  readonly hosts?: readonly string[] | undefined
  /** Lets other machines look too. Default: false. */
  readonly remote?: boolean | undefined
  /** Allows it with `NODE_ENV=production`, where it is refused otherwise. Default: false. */
  readonly production?: boolean | undefined
}

/** A page to mount, in either form. */
export interface Inspector {
  /** For servers that pass a `Request` and take a `Response`. What is not under the path is 404. */
  readonly fetch: (request: Request) => Promise<Response>
  /** For Express, Connect, Vite and `node:http`. What is not under the path goes to `next`, or is 404 where there is none. */
  readonly middleware: (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void) => void
  /** Ends all pages and stops listening to events. */
  readonly close: () => void
}

/** An inspector, told whose events it will see, and how long to wait between two frames to a page, in milliseconds. */
export function createInspector(
  sessions: Checkable | undefined,
  options: InspectorOptions,
  kind: Source['kind'],
  pause = 1_000,
): Inspector {
  assertOptions('inspector', options, optionNames)
  const { path = '/fieldwise', hosts = [], remote = false, production = false } = options
  assertPlace(production)
  assertAssets()
  const base = baseOf(path)
  const probe =
    options.servers === undefined && kind === 'app'
      ? undefined
      : new Probe(options.servers, options.memcached ?? {}, () => performance.now())
  const recorder = new Recorder(Date)
  const sharesOf = kind === 'servers' ? 'items' : 'sessions'
  const fleet = new FleetWatch({ probe, sessions, sharesOf }, () => performance.now())
  const site = new Site({ base, guard: { hosts: hosts.map((host) => host.toLowerCase()), remote }, recorder, fleet, kind, pause })
  return {
    fetch: (request) => answerRequest(site, request),
    middleware: (req, res, next) => answerNode(site, req, res, next),
    close: () => site.close(),
  }
}

const optionNames = ['path', 'servers', 'memcached', 'hosts', 'remote', 'production']

function assertPlace(production: boolean): void {
  if (process.env.NODE_ENV !== 'production' || production) return
  throw new BadConfigError(
    'The inspector shows session ids and is for development. To run it with NODE_ENV=production, pass { production: true }',
  )
}

function baseOf(path: string): string {
  if (/^\/[^?#\s]*$/.test(path)) return path.replace(/\/+$/, '')
  throw new BadConfigError(`inspector: the path must begin with a slash, as in '/fieldwise', but is '${path}'`)
}

async function answerRequest(site: Site, request: Request): Promise<Response> {
  const url = new URL(request.url)
  if (!site.owns(url.pathname)) return new Response('Not found\n', { status: 404 })
  const { headers, method } = request
  const asker: Asker = {
    method,
    host: headers.get('host') ?? url.host,
    address: undefined,
    isForwarded: areForwarded(headers.keys()),
    from: headers.get('origin') ?? headers.get('referer') ?? undefined,
    site: headers.get('sec-fetch-site') ?? undefined,
    mode: headers.get('sec-fetch-mode') ?? undefined,
  }
  return site.answer(url.pathname, asker)
}

function answerNode(site: Site, req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void): void {
  const pathname = pathnameOf(req)
  if (!site.owns(pathname)) return next === undefined ? void res.writeHead(404).end('Not found\n') : next()
  site
    .answer(pathname, askerOf(req))
    .then((response) => send(response, res))
    .catch((error) => (next === undefined ? res.destroy() : next(error)))
}
