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

const blocks = trackedDocuments().flatMap(blocksOf)
const options = compilerOptions()
const parsed = new Map<string, ts.SourceFile | undefined>()

test.each(blocks)('the code at $place compiles', ({ path, code }) => {
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
    return { place: `${document}:${line}`, code: match[1] as string, path }
  })
}

function compilerOptions(): ts.CompilerOptions {
  const path = join(root, 'test/tsconfig.json')
  const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(path, ts.sys.readFile).config, ts.sys, join(root, 'test'))
  // An example may show a value without using it.
  return { ...options, noUnusedLocals: false, noUnusedParameters: false }
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
