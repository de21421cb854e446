import { afterAll, describe, expect, test, vi } from 'vitest'
import { type Case, cases, newSignal, type Scene, sharedRoutes } from './testing/cases.js'
import { frameworks } from './testing/frameworks.js'
import { ScriptedStore } from './testing/scripted-store.js'
import { adminSessions, type Framework, shopSessions } from './testing/shop.js'
import { Visitor } from './testing/visitor.js'

// Hono prints errors that it does not know; one case is about those.
vi.spyOn(console, 'error').mockImplementation(() => {})

const results = new Map<string, Map<string, string>>()

for (const framework of frameworks) {
  describe(framework.name, () => {
    for (const each of cases) {
      const left = each.without?.[framework.name]
      if (left !== undefined) {
        note(each, framework, '-')
        continue
      }
      test(each.title, async () => {
        note(each, framework, 'FAILED')
        await play(framework, each)
        note(each, framework, 'ok')
      })
    }
  })
}

afterAll(() => {
  process.stdout.write(table())
})

async function play(framework: Framework, { run, options = {}, routes = {} }: Case): Promise<void> {
  const store = new ScriptedStore()
  const clock = new TestClock()
  const signal = newSignal()
  const warnings = collectWarnings()
  const sessions = shopSessions(store, clock)
  const admins = adminSessions(store, clock)
  const app = await framework.start({ sessions, admins, options, routes: { ...sharedRoutes(signal), ...routes } })
  const newVisitor = (host?: string) => new Visitor(app.port, host)
  const scene: Scene = { visitor: newVisitor(), newVisitor, store, sessions, admins, clock, signal, warnings: warnings.of }
  try {
    await run(scene)
  } finally {
    signal.open()
    warnings.stop()
    await app.close()
    await sessions.close()
  }
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

/** The warnings that the process gives, which stay unprinted. */
function collectWarnings(): { of(code: string): Promise<string[]>; stop(): void } {
  const spy = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  return {
    async of(code) {
      // A warning about hosts comes after the list of public suffixes was loaded.
      await import('./lib/public-suffix.js')
      await new Promise(setImmediate)
      const given = spy.mock.calls as unknown as [message: string, options: { code: string }][]
      return given.filter(([, options]) => options.code === code).map(([message]) => message)
    },
    stop: () => spy.mockRestore(),
  }
}

function note({ title }: Case, { name }: Framework, result: string): void {
  const row = results.get(title) ?? new Map<string, string>()
  results.set(title, row.set(name, result))
}

function table(): string {
  const names = frameworks.map(({ name }) => name)
  const rows = [...results].map(([title, row]) => [...names.map((name) => (row.get(name) ?? '').padEnd(name.length)), title])
  return ['', [...names, 'case'].join('  '), ...rows.map((row) => row.join('  ')), '', ''].join('\n')
}

test('every case runs on at least three frameworks', () => {
  for (const { without = {} } of cases) expect(frameworks.length - Object.keys(without).length).toBeGreaterThanOrEqual(3)
})
