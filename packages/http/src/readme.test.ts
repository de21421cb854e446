import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const folder = fileURLToPath(new URL('./testing/', import.meta.url))
const options = optionsOf(fileURLToPath(new URL('../../../test/tsconfig.json', import.meta.url)))

test('every example in the README compiles, with `req.session` typed by Register', { timeout: 120_000 }, () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? '')
  expect(examples.length).toBeGreaterThan(10)
  const files = new Map(examples.map((text, at) => [`${folder}${fileName(text) ?? `example-${at}.ts`}`, text]))
  files.set(`${folder}wrong-uses.ts`, wrongUses)
  expect(problemsOf(files)).toEqual([])
})

test('without Register the type of `req.session` says what is missing', { timeout: 120_000 }, () => {
  const text = `
    import '@fieldwise/http/express'
    import type { Request } from 'express'
    export const visits = (req: Request) => req.session.get('visits')
  `
  expect(problemsOf(new Map([[`${folder}unregistered.ts`, text]]))).toEqual([
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
  expect(problemsOf(new Map([[`${folder}theirs.ts`, text]]))).toEqual([])
})

const wrongUses = `
  import '@fieldwise/http/express'
  import '@fieldwise/http/fastify'
  import { sessionOf } from '@fieldwise/http'
  import type { Request } from 'express'
  import type { FastifyRequest } from 'fastify'
  import { app } from './example-4.js'
  import { sessions } from './sessions.js'

  export async function uses(req: Request, request: FastifyRequest): Promise<[number, string | undefined, string[]]> {
    // @ts-expect-error no such field
    await req.session.get('nobody')
    // @ts-expect-error the wrong type
    await req.session.set('visits', 'many')
    // @ts-expect-error no such field
    await request.session.get('nobody')
    // @ts-expect-error no such field
    await sessionOf(req, sessions).get('nobody')
    // @ts-expect-error it cannot be replaced
    req.session = request.session
    app.get('/nobody', async (c) => {
      // @ts-expect-error no such field
      await c.var.session.get('nobody')
      return c.text('')
    })
    return [await req.session.get('visits'), await request.session.get('username'), await sessionOf(req, sessions).get('cart')]
  }
`

/** A first line such as \`// sessions.ts\` names the file that others import. */
function fileName(text: string): string | undefined {
  return /^\/\/ (\S+\.ts)\n/.exec(text)?.[1]
}

function optionsOf(path: string): ts.CompilerOptions {
  const { config } = ts.readConfigFile(path, ts.sys.readFile)
  return ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, dirname(path)).options
}

/** What the compiler says to these files, which need not be on disk. */
function problemsOf(files: ReadonlyMap<string, string>): string[] {
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
