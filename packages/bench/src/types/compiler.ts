import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export interface Compiled {
  readonly instantiations: number
  readonly types: number
  readonly seconds: number
}

/** In this package, so that the packages that it imports are found. */
const path = fileURLToPath(new URL('../../program.ts', import.meta.url))

const options: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  noEmit: true,
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ['node'],
}

/** The files of the disk, each parsed once for all programs. */
const parsed = new Map<string, ts.SourceFile | undefined>()

/** Checks a program of one file. @throws {Error} if it has an error. */
export function compile(text: string): Compiled {
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => name === path || fileExists.call(host, name)
  host.getSourceFile = (name, version) => {
    if (name === path) return ts.createSourceFile(name, text, version)
    if (!parsed.has(name)) parsed.set(name, getSourceFile.call(host, name, version))
    return parsed.get(name)
  }
  const program = ts.createProgram([path], options, host)
  const begun = performance.now()
  const [problem] = [...program.getSyntacticDiagnostics(), ...program.getSemanticDiagnostics(program.getSourceFile(path))]
  if (problem !== undefined) throw new Error(ts.flattenDiagnosticMessageText(problem.messageText, '\n'))
  const seconds = (performance.now() - begun) / 1_000
  return { instantiations: program.getInstantiationCount(), types: program.getTypeCount(), seconds }
}
