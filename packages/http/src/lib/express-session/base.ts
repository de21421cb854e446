import { Store } from '#express-session'
import type { ExpressSessionStore } from './module.js'

/** express-session's own `Store`, by a type that leads nobody to express-session's types. */
export const BaseStore: new () => ExpressSessionStore = Store
