import assert from 'node:assert/strict'
import diagnostics from 'node:diagnostics_channel'
import * as fetchAdapter from '@fieldwise/http/fetch'
import * as memcached from '@fieldwise/memcached'
import * as fieldwise from 'fieldwise'
import * as adapter from 'fieldwise/adapter'
import * as shared from 'fieldwise/shared'
import ts from 'typescript'
import { z } from 'zod'
import type { Example } from './examples.js'

export interface Outcome {
  readonly results: readonly unknown[]
  readonly expected: readonly unknown[]
}

/** What an example may import, so that it runs without a server or a file. */
const modules: Readonly<Record<string, object>> = {
  fieldwise,
  'fieldwise/adapter': adapter,
  'fieldwise/shared': shared,
  '@fieldwise/http/fetch': fetchAdapter,
  '@fieldwise/memcached': memcached,
  zod: { z },
  'node:assert/strict': { default: assert },
  'node:diagnostics_channel': diagnostics,
}

/** Whether an example needs nothing but what {@link runExample} has. */
export function isRunnable({ code }: Example): boolean {
  const imports = [...code.matchAll(/^import .* from '(.+)'$/gm)].map(([, name]) => name as string)
  // Some show what to do with an error or a store of the reader's own, or names of what is said around them.
  return (
    imports.every((name) => name in modules) &&
    !/\b(error|subject|process\.env|req|res)\b|memcachedStore\((?!'127.0.0.1:1')|^(profile:|declare )/m.test(code)
  )
}

/** Runs a program, or a piece of one, on the memory store. `expression // value` says what the expression gives. */
export async function runExample(code: string): Promise<Outcome> {
  const schema = z.object({
    username: z.string(),
    cart: z.array(z.string()).default([]),
    visits: z.int().default(0),
    otp: z.string(),
  })
  const store = fieldwise.memoryStore()
  const sessions = fieldwise.createSessions({ schema, store })
  const session = await sessions.create()
  const results: unknown[] = []
  const expected: unknown[] = []
  const note = (result: unknown, value: unknown) => {
    results.push(result)
    expected.push(value)
  }
  const names = {
    ...fieldwise,
    ...adapter,
    ...shared,
    ...fetchAdapter,
    ...memcached,
    ...diagnostics,
    assert,
    z,
    schema,
    store,
    sessions,
    session,
    token: session.token,
    username: 'ada',
    item: 'tea',
    note,
  }
  try {
    await functionOf(Object.keys(names), withNotes(withoutModules(code)))(...Object.values(names))
  } finally {
    await sessions.close()
  }
  return { results, expected }
}

/** What it imports it is given by name. */
function withoutModules(code: string): string {
  return code.replace(/^import .*\n/gm, '').replace(/^export /gm, '')
}

function functionOf(names: string[], code: string): (...values: unknown[]) => Promise<void> {
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor
  // In a block, so that an example may give names of the prelude a meaning of its own.
  return AsyncFunction(...names, `{${ts.transpile(code, { target: ts.ScriptTarget.ES2023 })}}`) as never
}

function withNotes(code: string): string {
  return code.replace(
    /^((?:await )?[\w.]+\(.*\)) +\/\/ ([[{].*[\]}]|[^,\n]+)(?:, .*)?$/gm,
    (line, expression: string, value: string) => (isValue(value) ? `note(${expression}, ${value})` : line),
  )
}

function isValue(text: string): boolean {
  try {
    Function(`return (${text})`)()
    return true
  } catch {
    return false
  }
}
