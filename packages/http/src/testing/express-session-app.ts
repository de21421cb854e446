import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler, type Request, type RequestHandler } from 'express'
import { Visitor } from './visitor.js'

/** An Express app on a free port of 127.0.0.1. */
export interface App {
  readonly port: number
  /** Somebody without cookies. */
  visitor(): Visitor
  close(): Promise<void>
}

/** Answers every request with what `handler` gives for it. `late` is told of errors that came when the answer had begun. */
export async function startApp(
  middlewares: readonly RequestHandler[],
  handler: (req: Request) => unknown,
  late: (error: unknown) => void = () => {},
): Promise<App> {
  const app = express()
  app.use(...(middlewares as [RequestHandler]))
  app.use(async (req, res) => {
    res.send(String(await handler(req)))
  })
  app.use(answerErrors(late))
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    visitor: () => new Visitor(port),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** As Express does itself, save that it prints nothing. */
const answerErrors =
  (late: (error: unknown) => void): ErrorRequestHandler =>
  (error, _req, res, _next) => {
    if (res.headersSent) return late(error)
    res
      .status(error.status ?? (res.statusCode < 400 ? 500 : res.statusCode))
      .set(error.headers ?? {})
      .send(String(error.code ?? error))
  }
