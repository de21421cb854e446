import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { type Asker, areForwarded } from './guard.js'

/** The path that was asked for. Express and Connect take their mount point off `url` and keep the whole in `originalUrl`. */
export function pathnameOf(req: IncomingMessage & { readonly originalUrl?: string }): string {
  return (req.originalUrl ?? req.url ?? '/').split(/[?#]/, 1)[0] as string
}

export function askerOf(req: IncomingMessage): Asker {
  return {
    method: req.method ?? 'GET',
    host: req.headers.host,
    address: req.socket.remoteAddress,
    // No browser speaks HTTP/1.0, and nginx does unless told otherwise.
    isForwarded: areForwarded(Object.keys(req.headers)) || req.httpVersion === '1.0',
    from: header(req, 'origin') ?? header(req, 'referer'),
    site: header(req, 'sec-fetch-site'),
    mode: header(req, 'sec-fetch-mode'),
  }
}

export async function send(response: Response, res: ServerResponse): Promise<void> {
  res.writeHead(response.status, Object.fromEntries(response.headers))
  if (response.body === null) return void res.end()
  // Whoever goes away ends the stream; that is no failure.
  await pipeline(Readable.fromWeb(response.body as ReadableStream), res).catch(() => {})
}

function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name]
  return Array.isArray(value) ? value.join() : value
}
