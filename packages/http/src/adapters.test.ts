import { afterAll, describe, test, vi } from 'vitest'
import { collectWarnings, newSessions } from './testing/app.js'
import { type Case, newSignal, type Scene } from './testing/case.js'
import { cases } from './testing/cases.js'
import { frameworks } from './testing/frameworks.js'
import { routesOf } from './testing/routes.js'
import type { Framework } from './testing/shop.js'
import { Visitor } from './testing/visitor.js'

// Hono prints errors that it does not know; one case is about those.
vi.spyOn(console, 'error').mockImplementation(() => {})

const results = new Map(cases.map(({ title }) => [title, new Map<string, string>()]))

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

async function play(framework: Framework, { run, options = {} }: Case): Promise<void> {
  const { store, clock, sessions, admins } = newSessions()
  const signal = newSignal()
  const warnings = collectWarnings()
  const app = await framework.start({ sessions, admins, options, routes: routesOf(signal) })
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

function note({ title }: Case, { name }: Framework, result: string): void {
  results.get(title)?.set(name, result)
}

function table(): string {
  const names = frameworks.map(({ name }) => name)
  const rows = [...results].map(([title, row]) => [...names.map((name) => (row.get(name) ?? '').padEnd(name.length)), title])
  return ['', [...names, 'case'].join('  '), ...rows.map((row) => row.join('  ')), '', ''].join('\n')
}
