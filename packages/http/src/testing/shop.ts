import { createSessions, type SessionOf } from 'fieldwise'
import { z } from 'zod'
import type { SessionOptions } from '../lib/adapter/session-adapter.js'
import type { ScriptedStore } from './scripted-store.js'

/** What a handler is given, whatever the framework. */
interface Visit {
  readonly session: ShopSession
  /** The session of the second schema, by `sessionOf`. */
  readonly admin: () => AdminSession
}

/** What a handler answers, whatever the framework. */
export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | AsyncIterable<string>
}

export type Handler = (visit: Visit) => Reply | Promise<Reply>

/** An app to build in each framework, by that framework's own means. */
export interface Shop {
  readonly sessions: ShopSessions
  readonly admins: AdminSessions
  readonly options: SessionOptions
  readonly routes: Readonly<Record<string, Handler>>
}

/** Builds the app and listens on a free port of 127.0.0.1. */
export interface Framework {
  readonly name: string
  start(shop: Shop): Promise<{ readonly port: number; close(): Promise<void> }>
}

export type ShopSessions = ReturnType<typeof shopSessions>
export type ShopSession = SessionOf<ShopSessions>
export type AdminSessions = ReturnType<typeof adminSessions>
type AdminSession = SessionOf<AdminSessions>

export const adminCookie = 'admin'

export function shopSessions(store: ScriptedStore, clock: { now(): number }) {
  return createSessions({
    schema: z.object({
      username: z.string(),
      visits: z.int().default(0),
      cart: z.array(z.string()).default([]),
    }),
    store,
    clock,
  })
}

export function adminSessions(store: ScriptedStore, clock: { now(): number }) {
  return createSessions({ schema: z.object({ role: z.string() }), store, clock, prefix: 'admin:' })
}
