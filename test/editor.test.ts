import { beforeAll, describe, expect, test } from 'vitest'
import { Editor } from './support/editor.js'

const app = `
import '@fieldwise/http/express'
import { createSessions, type SessionOf } from 'fieldwise'
import { z } from 'zod'

const cartItem = z.object({ sku: z.string(), count: z.int() })
export const sessions = createSessions({
  schema: z.object({ username: z.string(), cart: z.array(cartItem).default([]), visits: z.int().default(0) }),
})
export const loose = createSessions({ schema: z.object({ username: z.string() }).catchall(z.number()) })

declare module '@fieldwise/http' {
  interface Register {
    sessions: typeof sessions
  }
}

export type ShopSession = SessionOf<typeof sessions>
export const created = await sessions.create()
export const opened = await sessions.open('token')
export const resumed = sessions.resume()
declare const req: Express.Request
export const cart = await req.session.get('cart')

req.session.get('nobody')
req.session.set('visits', '1')
req.session.set('nobody', '1')
req.session.set({ visits: '1' })
req.session.set({ nobody: 1 })
req.session.update('visits', async (visits) => visits + 1)
req.session.update('cart', async (cart) => cart)
req.session.update('visits', (visits) => String(visits))
req.session.increment('username')
sessions.create({ username: 5 })
`

const fields = '{ username: string; cart: { sku: string; count: number; }[]; visits: number; }'
const session = `Session<${fields}, "cart" | "visits">`

let editor: Editor
beforeAll(() => {
  editor = new Editor(app)
}, 120_000)

describe('an editor shows plain value types where the pointer rests on', { timeout: 120_000 }, () => {
  test.each([
    ['sessions', 'export const ', `const sessions: Sessions<${fields}, "cart" | "visits">`],
    ['loose', 'export const ', 'const loose: Sessions<{ [x: string]: number; username: string; }, never>'],
    ['created', 'export const ', `const created: Stored${session}`],
    ['opened', 'export const ', `const opened: Stored${session} | null`],
    ['resumed', 'export const ', `const resumed: ${session}`],
    ['session', 'req.', `(property) DeclaredSession.session: ${session}`],
    ['ShopSession', 'export type ', `type ShopSession = ${session}`],
    ['cart', 'declare const req: Express.Request\nexport const ', 'const cart: { sku: string; count: number; }[]'],
  ])('%s', (name, before, shown) => {
    expect(editor.hover(name, before).replace(/\s+/g, ' ')).toBe(shown)
  })
})

describe('the compiler says in one line what is wrong with', { timeout: 120_000 }, () => {
  const names = '"username" | "cart" | "visits"'
  test.each([
    ["req.session.get('nobody')", `Argument of type '"nobody"' is not assignable to parameter of type '${names}'.`],
    ["req.session.set('visits', '1')", "Argument of type 'string' is not assignable to parameter of type 'number'."],
    [
      "req.session.set('nobody', '1')",
      `Argument of type '"nobody"' is not assignable to parameter of type '${names} | Partial<${fields}>'.`,
    ],
    ["req.session.set({ visits: '1' })", "Type 'string' is not assignable to type 'number'."],
    [
      'req.session.set({ nobody: 1 })',
      `Object literal may only specify known properties, and 'nobody' does not exist in type 'Partial<${fields}>'.`,
    ],
    [
      "req.session.update('visits', async (visits) => visits + 1)",
      `Type 'Promise<number>' is not assignable to type 'number | "the function of update is synchronous: await before it"'.`,
    ],
    [
      "req.session.update('cart', async (cart) => cart)",
      `Type 'Promise<{ sku: string; count: number; }[]>' is not assignable to type 'void | { sku: string; count: number; }[] | "the function of update is synchronous: await before it"'.`,
    ],
    ["req.session.update('visits', (visits) => String(visits))", "Type 'string' is not assignable to type 'number'."],
    ["req.session.increment('username')", `Argument of type '"username"' is not assignable to parameter of type '"visits"'.`],
    ['sessions.create({ username: 5 })', "Type 'number' is not assignable to type 'string'."],
  ])('%s', (line, message) => {
    expect(editor.errors().get(line)).toBe(message)
  })

  test('these lines, and with no other', () => {
    expect(editor.errors().size).toBe(10)
  })
})
