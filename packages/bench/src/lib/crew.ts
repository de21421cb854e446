import { type Api, Remote } from './remote.js'

/** Processes of one program, by name. They end together. */
export class Crew<A extends Api> implements AsyncDisposable {
  readonly #module: URL
  readonly #members = new Map<string, Remote<A>>()

  constructor(module: URL) {
    this.#module = module
  }

  add(name: string, flags: readonly string[] = []): Remote<A> {
    const remote = new Remote<A>(this.#module, name, flags)
    this.#members.set(name, remote)
    return remote
  }

  get(name: string): Remote<A> {
    const remote = this.#members.get(name)
    if (remote === undefined) throw new Error(`There is no process '${name}'`)
    return remote
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#members.values()].map((remote) => remote[Symbol.asyncDispose]()))
  }
}
