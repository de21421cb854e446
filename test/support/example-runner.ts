import * as fieldwise from 'fieldwise'
import * as adapter from 'fieldwise/adapter'
import ts from 'typescript'
import { z } from 'zod'

export interface Outcome {
  readonly results: readonly unknown[]
  readonly expected: readonly unknown[]
}

/** Runs a piece of a program on the memory store. `expression // value` says what the expression gives. */
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
  const names = { ...fieldwise, ...adapter, z, schema, store, sessions, session, username: 'ada', item: 'tea', note }
  try {
    await functionOf(Object.keys(names), withNotes(code))(...Object.values(names))
  } finally {
    await sessions.close()
  }
  return { results, expected }
}

function functionOf(names: string[], code: string): (...values: unknown[]) => Promise<void> {
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor
  // In a block, so that an example may give names of the prelude a meaning of its own.
  return AsyncFunction(...names, `{${ts.transpile(code, { target: ts.ScriptTarget.ES2023 })}}`) as never
}

function withNotes(code: string): string {
  return code.replace(/^((?:await )?[\w.]+\(.*\)) +\/\/ (.+)$/gm, (line, expression: string, value: string) =>
    isValue(value) ? `note(${expression}, ${value})` : line,
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
