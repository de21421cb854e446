import { type ChildProcess, spawn } from 'node:child_process'

export interface ProgramOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** What the program prints when it is ready. */
  readonly ready: RegExp
}

/** A program that a test has started. It ends with the test process at the latest. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  #output = ''

  /** Resolves when it is ready. */
  static async start(command: string, args: readonly string[], options: ProgramOptions): Promise<Program> {
    const program = new Program(command, args, options)
    await program.#until(options.ready)
    return program
  }

  private constructor(command: string, args: readonly string[], { cwd, env }: ProgramOptions) {
    this.#child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve).once('error', resolve))
    const note = (chunk: Buffer) => {
      this.#output += chunk
    }
    this.#child.stdout?.on('data', note)
    this.#child.stderr?.on('data', note)
    running.add(this.#child)
    this.#child.once('exit', () => running.delete(this.#child))
  }

  /** What it has printed so far. */
  get output(): string {
    return this.#output
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.#ended
  }

  #until(ready: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => ready.test(this.#output) && resolve()
      this.#child.stdout?.on('data', look)
      this.#child.stderr?.on('data', look)
      this.#child.once('error', reject)
      this.#child.once('close', (code) => reject(new Error(`It ended with ${code}: ${this.#output}`)))
    })
  }
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
