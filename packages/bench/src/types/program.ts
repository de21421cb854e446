/** A program whose schema has a given number of fields, of all kinds. It uses ten of them in every way. */
export function withSessions(fields: number): string {
  return `${schemaOf(fields)}
import { createSessions, type Session, type SessionOf } from 'fieldwise'

const sessions = createSessions({ schema })
type MySession = SessionOf<typeof sessions>

async function first(session: MySession) {
  const [text, number, list] = [await session.get('text0'), await session.get('number1'), await session.get('list2')]
  await session.update('list2', (list) => [...list, 'more'])
  await session.increment('number1')
  await session.set({ text0: 'a text', number1: 1 })
  await session.update('object3', (value) => ({ ...(value ?? { name: '', roles: [] }), name: 'Ada' }))
  return text + String(number) + list.join()
}

async function second(session: Session<{ text4: string }>) {
  await session.set('text4', 'a text')
  return session.getMany(['text4'])
}

export async function main() {
  const session = await sessions.create({ text0: 'a text', list6: [] })
  const all = await session.getAll()
  await session.take('text8')
  return [await first(session), await second(session), all.number5, all.object7?.roles]
}
`
}

/** What the schema alone costs, with the type that zod infers of it. */
export function withSchemaAlone(fields: number): string {
  return `${schemaOf(fields)}
export const value: z.infer<typeof schema> = schema.parse({})
export const [text, number, list] = [value.text0, value.number1, value.list2]
`
}

function schemaOf(fields: number): string {
  const lines = Array.from({ length: fields }, (_, index) => `  ${fieldOf(index)},`)
  return `import { z } from 'zod'\n\nconst schema = z.object({\n${lines.join('\n')}\n})\n`
}

function fieldOf(index: number): string {
  switch (index % 4) {
    case 0:
      return `text${index}: z.string()`
    case 1:
      return `number${index}: z.int().default(0)`
    case 2:
      return `list${index}: z.array(z.string()).default([])`
    default:
      return `object${index}: z.object({ name: z.string(), roles: z.array(z.enum(['reader', 'editor'])) })`
  }
}
