import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

// Where the frameworks are found, as in a user's program.
const folder = fileURLToPath(new URL('.', import.meta.url))
const options = optionsOf(fileURLToPath(new URL('../../../../../test/tsconfig.json', import.meta.url)))

test('Register types the session of every framework', { timeout: 120_000 }, () => {
  expect(problemsOf({ 'sessions.ts': sessions, 'uses.ts': uses })).toEqual([])
})

test('without Register the type of `req.session` says what is missing', { timeout: 120_000 }, () => {
  const text = `
    import '@fieldwise/http/express'
    import type { Request } from 'express'
    export const visits = (req: Request) => req.session.get('visits')
  `
  expect(problemsOf({ 'unregistered.ts': text })).toEqual([
    expect.stringContaining("Property 'get' does not exist on type 'SessionsAreNotRegistered'"),
  ])
})

test("a program with express-session's types that does without our Express adapter is left alone", { timeout: 120_000 }, () => {
  const text = `
    import { checkCookieHosts, sessionOf } from '@fieldwise/http'
    import { withSession } from '@fieldwise/http/fetch'
    import type { Request } from 'express'
    declare global {
      namespace Express {
        interface Request {
          session: { theirs: string }
        }
      }
    }
    export const theirs = (req: Request): string => req.session.theirs
    export const ours = [checkCookieHosts, sessionOf, withSession]
  `
  expect(problemsOf({ 'theirs.ts': text })).toEqual([])
})

const sessions = `
  import { createSessions } from 'fieldwise'
  import { z } from 'zod'
  export const sessions = createSessions({
    schema: z.object({ username: z.string(), visits: z.int().default(0) }),
  })
  declare module '@fieldwise/http' {
    interface Register {
      sessions: typeof sessions
    }
  }
`

const uses = `
  import '@fieldwise/http/express'
  import '@fieldwise/http/fastify'
  import type { RegisteredSession } from '@fieldwise/http'
  import type { Request } from 'express'
  import type { Request as Request4 } from 'express4'
  import type { FastifyRequest } from 'fastify'
  import type { SessionOf } from 'fieldwise'
  import type { sessions } from './sessions.js'

  export function same(session: RegisteredSession): SessionOf<typeof sessions> {
    return session
  }
  export async function uses(req: Request, req4: Request4, request: FastifyRequest): Promise<(number | string | undefined)[]> {
    // @ts-expect-error no such field
    await req.session.get('nobody')
    // @ts-expect-error the wrong type
    await req.session.set('visits', 'many')
    // @ts-expect-error no such field
    await req4.session.get('nobody')
    // @ts-expect-error no such field
    await request.session.get('nobody')
    // @ts-expect-error it cannot be replaced
    req.session = request.session
    const visits: number = await req.session.get('visits')
    return [visits, await req4.session.get('username'), await request.session.get('username')]
  }
`

function optionsOf(path: string): ts.CompilerOptions {
  const { config } = ts.readConfigFile(path, ts.sys.readFile)
  return ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, dirname(path)).options
}

/** What the compiler says to these files, which need not be on disk. */
function problemsOf(texts: Readonly<Record<string, string>>): string[] {
  const files = new Map(Object.entries(texts).map(([name, text]) => [join(folder, name), text]))
  const host = ts.createCompilerHost(options)
  const { fileExists } = host
  host.fileExists = (name) => files.has(name) || fileExists(name)
  host.getSourceFile = (name, target) => {
    const text = files.get(name)
    return text === undefined ? parsed(name, target) : ts.createSourceFile(name, text, target)
  }
  const program = ts.createProgram([...files.keys()], options, host)
  return [...files.keys()].flatMap((name) => {
    const file = program.getSourceFile(name)
    const problems = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
    return problems.map(({ messageText }) => `${basename(name)}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
  })
}

const sources = new Map<string, ts.SourceFile | undefined>()

/** The declarations of Node and the frameworks are most of the work, and the same for every program. */
function parsed(name: string, target: ts.ScriptTarget | ts.CreateSourceFileOptions): ts.SourceFile | undefined {
  if (!sources.has(name)) {
    const text = ts.sys.readFile(name)
    sources.set(name, text === undefined ? undefined : ts.createSourceFile(name, text, target))
  }
  return sources.get(name)
}
