import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import type { RequestHandler } from 'express'
import type { Store } from '../express-session.js'

/** Of express-session, what tests use. Its own types declare a `req.session`, as ours do. */
interface ExpressSession {
  (options: object): RequestHandler
  readonly Store: new () => object
  readonly MemoryStore: new () => TestStore
}

/** What our store and express-session's own have in common. */
export type TestStore = Pick<
  Store<Record<string, unknown>>,
  'get' | 'set' | 'touch' | 'destroy' | 'load' | 'createSession' | 'generate'
>

/** `req.session`, as an app of express-session sees it. */
export interface AppSession {
  readonly id: string
  readonly cookie: {
    maxAge: number | null
    expires: Date | null | false
    readonly originalMaxAge: number | null
    secure: boolean
    path: string
  }
  save(callback: (error?: unknown) => void): this
  touch(): this
  reload(callback: (error?: unknown) => void): this
  regenerate(callback: (error?: unknown) => void): this
  destroy(callback?: (error?: unknown) => void): this
  [name: string]: unknown
}

export const expressSession = createRequire(import.meta.url)('express-session') as ExpressSession

/** The middleware, with the options that its documentation recommends. */
export function middleware(store: object, options: object = {}): RequestHandler {
  return expressSession({ store, secret: 'keyboard cat', resave: false, saveUninitialized: false, ...options })
}

/** One request as the middleware would handle it, step by step. */
export class AppRequest {
  sessionID = ''
  session!: AppSession
  readonly sessionStore: TestStore

  private constructor(store: TestStore) {
    this.sessionStore = store
  }

  /** A request without a cookie. */
  static begin(store: TestStore): AppRequest {
    const request = new AppRequest(store)
    store.generate(request)
    return request
  }

  /** A request with the cookie of `id`. Undefined where that leads to no session. */
  static async come(store: TestStore, id: string): Promise<AppRequest | undefined> {
    const data = await promisify(store.get.bind(store))(id)
    if (!data) return undefined
    const request = new AppRequest(store)
    request.sessionID = id
    store.createSession(request, data as object)
    return request
  }

  /** What the end of a response does after a change. */
  async save(session = this.session): Promise<void> {
    await promisify(session.save.bind(session))()
  }

  /** What the end of a response does without one. */
  async touch(): Promise<void> {
    const { session, sessionStore } = this
    session.touch()
    await promisify((callback: (error?: unknown) => void) => sessionStore.touch(session.id, session, callback))()
  }

  async reload(): Promise<void> {
    await promisify(this.session.reload.bind(this.session))()
  }

  async regenerate(): Promise<void> {
    await promisify(this.session.regenerate.bind(this.session))()
  }

  async destroy(): Promise<void> {
    await promisify(this.session.destroy.bind(this.session))()
  }
}
