import type { SessionOptions } from '../lib/adapter/session-adapter.js'
import { gate, type ScriptedStore } from './scripted-store.js'
import type { AdminSessions, ShopSessions } from './shop.js'
import type { Visitor } from './visitor.js'

/** One promise that every framework keeps. */
export interface Case {
  readonly title: string
  /** Why a framework is left out. */
  readonly without?: Readonly<Record<string, string>>
  readonly options?: SessionOptions
  readonly run: (scene: Scene) => Promise<void>
}

/** An app that runs, and somebody who visits it. */
export interface Scene {
  readonly visitor: Visitor
  /** Somebody else, at this host or another one. */
  newVisitor(host?: string): Visitor
  readonly store: ScriptedStore
  readonly sessions: ShopSessions
  readonly admins: AdminSessions
  readonly clock: { advance(milliseconds: number): void }
  readonly signal: Signal
  /** The warnings with this code that the process gave since the app started. */
  warnings(code: string): Promise<readonly string[]>
}

/** Between a case and a handler that waits for it. */
export interface Signal {
  /** The handler has come to where it waits. */
  readonly reached: Promise<void>
  reach(): void
  /** The case lets it go on. */
  readonly opened: Promise<void>
  open(): void
}

export function newSignal(): Signal {
  const reached = gate()
  const opened = gate()
  return { reached: reached.promise, reach: reached.open, opened: opened.promise, open: opened.open }
}

/** The part of a token before its secret. */
export function sidOf(token: string | undefined): string | undefined {
  return token?.split('.')[0]
}

export const minute = 60_000
