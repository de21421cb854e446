import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { end, endWithUs } from './child.js'

/** What a process of its own can be asked to do: functions of one serializable argument. */
export type Api = Readonly<Record<string, (input: never) => unknown>>

type Input<F> = F extends (input: infer I) => unknown ? I : never
type Output<F> = F extends (input: never) => infer O ? Awaited<O> : never

interface RemoteCall {
  readonly name: string
  readonly input: unknown
}

type RemoteReply = { readonly output: unknown } | { readonly error: string }

/** A process of its own with one program in it, so that no candidate shares heap, compiled code or processor time with another. */
export class Remote<A extends Api> implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #name: string

  /** `module` is a program that calls {@link serve}. */
  constructor(module: URL, name: string, flags: readonly string[] = []) {
    this.#name = name
    const env = { ...process.env, NODE_ENV: 'production' }
    this.#child = endWithUs(fork(module, { serialization: 'advanced', execArgv: [...flags], env }))
  }

  /** One call at a time. */
  async call<K extends keyof A & string>(name: K, input: Input<A[K]>): Promise<Output<A[K]>> {
    const patience = new AbortController()
    const heard = once(this.#child, 'message', { signal: patience.signal })
    const ended = once(this.#child, 'exit', { signal: patience.signal }).then(([code, signal]) => {
      throw new Error(`${this.#name}: its process has ended by itself with ${code ?? signal}`)
    })
    try {
      this.#child.send({ name, input } satisfies RemoteCall)
      const [reply] = (await Promise.race([heard, ended])) as [RemoteReply]
      if ('error' in reply) throw new Error(`${this.#name}: ${reply.error}`)
      return reply.output as Output<A[K]>
    } finally {
      patience.abort()
      heard.catch(() => {})
      ended.catch(() => {})
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return end(this.#child)
  }
}

/** Answers the calls of a {@link Remote} until that one lets go of this process. */
export function serve(api: Api): void {
  process.on('message', async ({ name, input }: RemoteCall) => {
    const work = api[name] as (input: unknown) => unknown
    try {
      process.send?.({ output: await work(input) } satisfies RemoteReply)
    } catch (error) {
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) } satisfies RemoteReply)
    }
  })
  process.once('disconnect', () => process.exit())
  // Ctrl-C reaches every process of a terminal; the first one ends the others.
  process.on('SIGINT', () => {})
}
