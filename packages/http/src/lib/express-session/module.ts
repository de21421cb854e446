import type { EventEmitter } from 'node:events'

// What TypeScript takes for express-session inside of this package: `imports` of package.json leads it here, and everything that runs to
// express-session. Its own types declare a `req.session`, which in one program collides with the one of `@fieldwise/http/express`.

/** express-session's own `Store`, as far as it is used. What returns `T` is what its types say there. */
export interface ExpressSessionStore extends EventEmitter {
  /** Ends the session of a request and begins one under a new id. */
  regenerate(req: object, callback: (error?: unknown) => void): void
  /** The session of an id; undefined where there is none. */
  load<T>(id: string, callback: (error: unknown, session?: T) => void): void
  /** The session of a request, made from what `get` gave. */
  createSession<T>(req: object, data: object): T
}

export declare const Store: new () => ExpressSessionStore
