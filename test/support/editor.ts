import { join } from 'node:path'
import ts from 'typescript'
import { root } from './packages.js'

/** A file of a user's as an editor shows it: what it says of names, and of what is wrong. */
export class Editor {
  readonly #path: string
  readonly #text: string
  readonly #service: ts.LanguageService

  constructor(text: string) {
    this.#path = join(root, 'test/edited.ts')
    this.#text = text
    this.#service = ts.createLanguageService(this.#host())
  }

  /** What is shown where the pointer rests on the first `name` after `before`. */
  hover(name: string, before = ''): string {
    const position = this.#text.indexOf(name, this.#text.indexOf(before) + before.length)
    return ts.displayPartsToString(this.#service.getQuickInfoAtPosition(this.#path, position)?.displayParts)
  }

  /** Every error, as the compiler prints it, by its line. */
  errors(): Map<string, string> {
    const lines = this.#text.split('\n')
    const found = this.#service.getSemanticDiagnostics(this.#path)
    return new Map(
      found.map(({ start = 0, messageText }) => [lineAt(lines, start), ts.flattenDiagnosticMessageText(messageText, '\n')]),
    )
  }

  #host(): ts.LanguageServiceHost {
    const options = optionsOfTests()
    const isOurs = (path: string) => path === this.#path
    return {
      getCompilationSettings: () => options,
      getScriptFileNames: () => [this.#path],
      getScriptVersion: () => '1',
      getScriptSnapshot: (path) => {
        const text = isOurs(path) ? this.#text : ts.sys.readFile(path)
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
      },
      getCurrentDirectory: () => root,
      getDefaultLibFileName: ts.getDefaultLibFilePath,
      fileExists: (path) => isOurs(path) || ts.sys.fileExists(path),
      readFile: (path) => (isOurs(path) ? this.#text : ts.sys.readFile(path)),
      directoryExists: ts.sys.directoryExists,
      getDirectories: ts.sys.getDirectories,
      realpath: (path) => (isOurs(path) ? path : (ts.sys.realpath?.(path) ?? path)),
    }
  }
}

function optionsOfTests(): ts.CompilerOptions {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} }
  return ts.getParsedCommandLineOfConfigFile(join(root, 'test/tsconfig.json'), {}, host)?.options ?? {}
}

function lineAt(lines: readonly string[], position: number): string {
  let start = 0
  for (const line of lines) {
    start += line.length + 1
    if (position < start) return line.trim()
  }
  return ''
}
