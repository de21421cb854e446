import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'

/**
 * express-session's own `Store`, which brings `regenerate`, `load` and `createSession`. Its types are not imported: they declare a
 * `req.session` of their own, which in one program collides with the one of `@fieldwise/http/express`. What returns `T` is what its
 * types say there.
 */
export interface BaseStore extends EventEmitter {
  /** Ends the session of a request and begins one under a new id. */
  regenerate(req: object, callback: (error?: unknown) => void): void
  /** The session of an id; undefined where there is none. */
  load<T>(id: string, callback: (error: unknown, session?: T) => void): void
  /** The session of a request, made from what `get` gave. */
  createSession<T>(req: object, data: object): T
}

const expressSession = createRequire(import.meta.url)('express-session') as { readonly Store: new () => BaseStore }

export const BaseStore = expressSession.Store
