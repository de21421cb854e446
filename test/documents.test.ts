import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { root } from './support/packages.js'

interface Block {
  /** Where a reader finds it: `README.md:12`. */
  readonly place: string
  readonly code: string
  /** The file that the compiler takes it for. There the web frameworks and zod are found, as in a user's program. */
  readonly path: string
}

/** What a block without imports may take for granted. A block with imports is a whole program. */
const prelude = `
  import { createSessions, memoryStore, parseDuration } from 'fieldwise'
  import { memcachedStore } from '@fieldwise/memcached'
  import { z } from 'zod'
  const CartItem = z.object({ sku: z.string(), count: z.int() })
  const schema = z.object({ username: z.string(), cart: z.array(CartItem).default([]), visits: z.int().default(0), otp: z.string() })
  const store = memcachedStore()
  const sessions = createSessions({ schema, store })
  const session = await sessions.create()
  declare const username: string, token: string, item: z.infer<typeof CartItem>
`

const blocks = trackedDocuments().flatMap(blocksOf)
const options = compilerOptions()
const parsed = new Map<string, ts.SourceFile | undefined>()

test.each(blocks.map((block) => [block.place, block] as const))('the code at %s compiles', (_, { path, code }) => {
  const program = ts.createProgram([path], options, hostWith(path, code))
  const found = [
    ...program.getSyntacticDiagnostics(program.getSourceFile(path)),
    ...program.getSemanticDiagnostics(program.getSourceFile(path)),
  ]
  expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
})

function trackedDocuments(): string[] {
  const paths = execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' }).split('\n')
  return paths.filter((path) => path !== '' && existsSync(join(root, path)))
}

function blocksOf(document: string): Block[] {
  const text = readFileSync(join(root, document), 'utf8')
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length
    const path = join(root, 'packages/http/src', `${document.replaceAll('/', '-')}-${line}.ts`)
    return { place: `${document}:${line}`, code: wholeProgram(match[1] as string), path }
  })
}

function wholeProgram(code: string): string {
  return /^import /m.test(code) ? code : `${prelude}\n{\n${code}\n}`
}

function compilerOptions(): ts.CompilerOptions {
  const path = join(root, 'test/tsconfig.json')
  const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(path, ts.sys.readFile).config, ts.sys, join(root, 'test'))
  // An example may show a value without using it, and a property without its object.
  return { ...options, noUnusedLocals: false, noUnusedParameters: false, allowUnusedLabels: true }
}

/** The files of the disk and one that is not there. Each is parsed once for all blocks. */
function hostWith(path: string, code: string): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => name === path || fileExists.call(host, name)
  host.getSourceFile = (name, languageVersion) => {
    if (name === path) return ts.createSourceFile(name, code, languageVersion)
    if (!parsed.has(name)) parsed.set(name, getSourceFile.call(host, name, languageVersion))
    return parsed.get(name)
  }
  return host
}
