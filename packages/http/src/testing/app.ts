import { vi } from 'vitest'
import { ScriptedStore } from './scripted-store.js'
import { adminSessions, shopSessions } from './shop.js'

/** The sessions of one test, on a store and a clock of its own. */
export function newSessions() {
  const store = new ScriptedStore()
  const clock = new TestClock()
  return { store, clock, sessions: shopSessions(store, clock), admins: adminSessions(store, clock) }
}

class TestClock {
  #now = Date.UTC(2030, 0)

  now(): number {
    return this.#now
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds
  }
}

/** The warnings that the process gives from now on, as in development, not under test. They stay unprinted. */
export function collectWarnings(): { of(code: string): Promise<string[]>; stop(): void } {
  vi.stubEnv('NODE_ENV', 'development')
  vi.stubEnv('VITEST', '')
  const spy = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  return {
    async of(code) {
      // A warning about hosts comes after the list of public suffixes was loaded.
      await import('../lib/cookie/public-suffix.js')
      await new Promise(setImmediate)
      const given = spy.mock.calls as unknown as [message: string, options: { code: string }][]
      return given.filter(([, options]) => options.code === code).map(([message]) => message)
    },
    stop() {
      spy.mockRestore()
      vi.unstubAllEnvs()
    },
  }
}

/** What an adapter decides when it is made in production. */
export function inProduction<T>(make: () => T): T {
  const before = process.env.NODE_ENV
  vi.stubEnv('NODE_ENV', 'production')
  try {
    return make()
  } finally {
    vi.stubEnv('NODE_ENV', before)
  }
}
