import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './packages.js'

/** A package that has what programs in guides import. */
const host = join(root, 'examples/two-servers/node_modules')

/** The programs of a guide, as files in a folder of their own: those whose first line names them, such as `// server.ts`. */
export class GuideProgram implements AsyncDisposable {
  readonly folder = mkdtempSync(join(host, '.guide-'))
  readonly #started: ChildProcess[] = []

  /** @param replaced what stands in the guide, and what takes its place: an address, a port. */
  constructor(guide: string, replaced: Readonly<Record<string, string>> = {}) {
    writeFileSync(join(this.folder, 'package.json'), '{ "type": "module" }')
    const text = readFileSync(join(root, guide), 'utf8')
    for (const [, code, name] of text.matchAll(/^```ts\n(\/\/ (\S+)\.ts\n.*?)^```/gms)) {
      const here = Object.entries(replaced).reduce((code, [from, to]) => code.replaceAll(from, to), code as string)
      writeFileSync(
        join(this.folder, `${name}.js`),
        ts.transpile(here, { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext }),
      )
    }
  }

  /** Runs one of the files in a process of its own. */
  run(file: string, env: Readonly<Record<string, string>>): ChildProcess {
    const child = spawn(process.execPath, [join(this.folder, file)], { env: { ...process.env, ...env }, stdio: 'inherit' })
    this.#started.push(child)
    return child
  }

  /** Takes one of the files into this process. */
  async import<T>(file: string): Promise<T> {
    return import(join(this.folder, file))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#started) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}
