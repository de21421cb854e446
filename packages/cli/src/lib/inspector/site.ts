import { assets } from './assets.js'
import type { FleetWatch } from './fleet.js'
import type { Frame, Source } from './frame.js'
import { type Asker, type Guard, refusalOf } from './guard.js'
import type { Recorder } from './recorder.js'
import { Streams } from './stream.js'

export interface SiteParts {
  /** Where the page is: `''` or `/fieldwise`, without a slash at the end. */
  readonly base: string
  readonly guard: Guard
  readonly recorder: Recorder
  readonly fleet: FleetWatch
  readonly kind: Source['kind']
  /** Between two frames to one page, in milliseconds. */
  readonly pause: number
}

/** The page, its files and its events. There is nothing to change here: every address only shows. */
export class Site {
  readonly #parts: SiteParts
  readonly #streams: Streams

  constructor(parts: SiteParts) {
    this.#parts = parts
    this.#streams = new Streams(parts.pause)
  }

  /** Whether a path is one of the inspector's. */
  owns(pathname: string): boolean {
    return pathname === this.#parts.base || pathname.startsWith(`${this.#parts.base}/`)
  }

  async answer(pathname: string, asker: Asker): Promise<Response> {
    const { base, guard } = this.#parts
    const refusal = refusalOf(asker, guard)
    if (refusal !== undefined) return plain(refusal.status, refusal.says, refusal.status === 405 ? { Allow: 'GET, HEAD' } : {})
    if (pathname === base && base !== '') return plain(308, 'The address ends with a slash.', { Location: `${base}/` })
    const response = await this.#get(pathname.slice(base.length + 1), asker.method)
    return asker.method === 'HEAD' ? new Response(null, response) : response
  }

  close(): void {
    this.#streams.close()
    this.#parts.recorder.close()
  }

  async #get(name: string, method: string): Promise<Response> {
    if (name === 'events') return this.#events(method)
    const asset = assets.get(name)
    if (asset === undefined) return plain(404, 'There is no such page.')
    return new Response(new Uint8Array(await asset.read()), { headers: { ...safeHeaders, 'Content-Type': asset.type } })
  }

  #events(method: string): Response {
    if (this.#streams.isFull) return plain(503, 'Too many pages are watching already.')
    // A proxy or a compressing middleware would hold frames back.
    const headers = { ...safeHeaders, 'Cache-Control': 'no-store, no-transform', 'X-Accel-Buffering': 'no' }
    const body = method === 'HEAD' ? null : this.#streams.open(this.#frames())
    return new Response(body, { headers: { ...headers, 'Content-Type': 'text/event-stream' } })
  }

  /** The first frame holds all that is remembered, the others what has come since. */
  #frames(): () => Promise<Frame> {
    const { recorder, fleet, kind } = this.#parts
    const source = { kind, pid: process.pid, since: recorder.since }
    let since = Number.NEGATIVE_INFINITY
    return async () => {
      const frame = recorder.frame(since)
      since = frame.seconds.at(-1)?.at ?? since
      return { ...frame, source, fleet: fleet.fleet(recorder.servers(), recorder.sessions.byServer()) }
    }
  }
}

/** Nothing from elsewhere, in no frame of others, never kept. */
const safeHeaders = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
}

function plain(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { ...safeHeaders, 'Content-Type': 'text/plain; charset=utf-8', ...headers },
  })
}
