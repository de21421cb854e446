import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { type Example, isPiece } from './examples.js'
import { entriesOf, publishedPackages, root } from './packages.js'

/** Where the web frameworks and zod are found, as in a user's program. */
const folder = join(root, 'packages/http/src/examples')

/** What pieces of a program take for granted, besides all that our packages export. */
const prelude = `
  ${importsOfEverything()}
  import { Hono } from 'hono'
  import { test } from 'node:test'
  import { z } from 'zod'
  const schema = z.object({ username: z.string(), cart: z.array(z.string()).default([]), visits: z.int().default(0), otp: z.string() })
  const store = memoryStore()
  const sessions = createSessions({ schema, store })
  const adminSessions = createSessions({ schema, prefix: 'admin:' })
  const session = await sessions.create()
  declare module '@fieldwise/http' { interface Register { sessions: typeof sessions } }
  declare const username: string, token: string, item: string, error: unknown
  declare const req: import('express').Request, server: import('node:http').Server, subject: ContractSubject
  declare function logInAgain(): void
`
const express = `declare const app: import('express').Express`
const fastify = `declare const app: import('fastify').FastifyInstance`

const options = compilerOptions()
const parsed = new Map<string, ts.SourceFile | undefined>()

/** What the compiler says to the examples of each document. A program takes one answer to what `req.session` is, so documents that agree on it share one. */
export function problemsIn(examples: readonly Example[]): Map<string, string[]> {
  const problems = new Map<string, string[]>(examples.map(({ shownIn }) => [shownIn, []]))
  for (const group of groupsOf(examples)) {
    const files = new Map(group.map((example) => [pathOf(example), example]))
    const program = ts.createProgram([...files.keys()], options, hostWith(files))
    for (const [path, example] of files) problems.get(example.shownIn)?.push(...diagnosticsOf(program, path, example))
  }
  return problems
}

function groupsOf(examples: readonly Example[]): Example[][] {
  const groups = new Map<string, Example[]>()
  for (const example of examples) {
    const shown = examples.filter(({ shownIn }) => shownIn === example.shownIn)
    const whole = shown.some(({ code }) => code.includes('interface Register')) ? example.shownIn : 'nothing'
    const says = isPiece(example) || (whole === 'nothing' && shown.some(isPiece)) ? 'the prelude' : whole
    groups.set(says, [...(groups.get(says) ?? []), example])
  }
  return [...groups.values()]
}

function diagnosticsOf(program: ts.Program, path: string, { line }: Example): string[] {
  const source = program.getSourceFile(path)
  const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
  return found.map(({ messageText }) => `line ${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
}

/** A first line such as `// sessions.ts` names the file that other examples of the document import. */
function pathOf({ shownIn, line, code }: Example): string {
  return join(folder, shownIn.replaceAll('/', '_'), /^\/\/ (\S+\.ts)\n/.exec(code)?.[1] ?? `line-${line}.ts`)
}

/** The files of the disk, each parsed once for all programs, and others that are not there. */
function hostWith(files: ReadonlyMap<string, Example>): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.directoryExists = (name) => name.startsWith(folder) || ts.sys.directoryExists(name)
  host.fileExists = (name) => files.has(name) || fileExists.call(host, name)
  host.getSourceFile = (name, languageVersion) => {
    const example = files.get(name)
    if (example !== undefined) return ts.createSourceFile(name, wholeProgram(example), languageVersion)
    if (!parsed.has(name)) parsed.set(name, getSourceFile.call(host, name, languageVersion))
    return parsed.get(name)
  }
  return host
}

function wholeProgram(example: Example): string {
  const { shownIn, code } = example
  if (!isPiece(example)) return code
  const start = `${prelude}\n${shownIn.endsWith('/fastify.ts') ? fastify : express}\n`
  // Names of its own may be those of the prelude. What only stands at the top of a file stays there.
  return /^(export|declare) /m.test(code) ? start + code : `${start}export async function example() {\n${code}\n}`
}

/** Some names are exported by two entries. */
function importsOfEverything(): string {
  const from = new Map<string, string>()
  for (const { folder, manifest } of publishedPackages()) {
    for (const entry of entriesOf(manifest)) {
      const source = join(folder, 'src', `${entry.slice(manifest.name.length + 1) || 'index'}.ts`)
      if (existsSync(source)) for (const name of exportsOf(source)) from.set(name, entry)
    }
  }
  return [...from].map(([name, entry]) => `import { ${name} } from '${entry}'`).join('\n')
}

function exportsOf(path: string): string[] {
  const { statements } = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest)
  return statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) return namesIn(statement)
    const exported =
      ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
    return exported && ts.isFunctionDeclaration(statement) && statement.name ? [statement.name.text] : []
  })
}

function namesIn({ exportClause }: ts.ExportDeclaration): string[] {
  return exportClause && ts.isNamedExports(exportClause) ? exportClause.elements.map(({ name }) => name.text) : []
}

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'test/tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, join(root, 'test'))
  // An example may show a value without using it, and a property without its object. The prelude imports types and values alike.
  const showing = { noUnusedLocals: false, noUnusedParameters: false, allowUnusedLabels: true, noImplicitReturns: false }
  return { ...options, ...showing, verbatimModuleSyntax: false, isolatedModules: false }
}
