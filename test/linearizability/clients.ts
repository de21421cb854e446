import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Protocol } from '../support/scripted-server.js'

/** A session that visitors use, and the newest token for it. */
export interface Known {
  readonly sid: string
  readonly token: string
}

/** What a client is to do. */
export interface Task {
  readonly name: string
  readonly seed: number
  readonly protocol: Protocol
  /** Addresses by the servers' labels. */
  readonly servers: Readonly<Record<string, string>>
  readonly timeout: `${number}ms`
  /** The file that it notes its calls in. */
  readonly journal: string
  /** How many requests it serves at once, and on how many sessions. */
  readonly abreast: number
  readonly slots: number
  /** Looks at these once, instead of serving requests. */
  readonly look?: readonly Known[] | undefined
  /** Whether its store drops versions: what must be noticed. */
  readonly isForgetful: boolean
}

/** What a client is told. `known` undefined: the session of this slot is over. */
export type Order =
  | { readonly kind: 'work'; readonly task: Task }
  | { readonly kind: 'create'; readonly slot: number }
  | { readonly kind: 'use'; readonly slot: number; readonly known: Known | undefined }
  | { readonly kind: 'stop' }

/** What a client tells of the session of a slot. A `created` without one has failed. */
export type SlotNews =
  | { readonly kind: 'created'; readonly slot: number; readonly known?: Known | undefined }
  | { readonly kind: 'renewed'; readonly slot: number; readonly known: Known }
  | { readonly kind: 'gone'; readonly slot: number; readonly known: Known }

/** What a client tells while it works: what has become of sessions, and that so many more calls were acknowledged. */
export type WorkNews = SlotNews | { readonly kind: 'progress'; readonly calls: number }

/** All that a client tells: that it can work, and that its task is done, too. */
export type News = WorkNews | { readonly kind: 'ready' } | { readonly kind: 'done' }

/** A process that uses sessions as a task says, one task after the other. */
export class ClientProcess {
  readonly #child = fork(fileURLToPath(new URL('client.mjs', import.meta.url)), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  readonly #closed = once(this.#child, 'close')
  /** Resolves when it can work. */
  readonly ready = Promise.race([once(this.#child, 'message'), this.#closed])
  #isKilled = false

  constructor() {
    running.add(this.#child)
    this.#child.once('close', () => running.delete(this.#child))
  }

  /** Begins a task. Resolves when it is done, with what is wrong with that: the process has failed, or was ended because it hung. */
  async work(task: Task, hear: (news: WorkNews) => void): Promise<string[]> {
    let listen = (_news: News) => {}
    const done = new Promise<void>((resolve) => {
      listen = (news) => {
        if (news.kind === 'done') resolve()
        else if (news.kind !== 'ready') hear(news)
      }
      this.#child.on('message', listen)
    })
    this.order({ kind: 'work', task })
    await Promise.race([done, this.#closed])
    this.#child.off('message', listen)
    return this.isAlive || this.#isKilled ? [] : [`${task.name} ended with ${this.#child.exitCode ?? this.#child.signalCode}`]
  }

  order(order: Order): void {
    // One that has just ended hears nothing any more.
    if (this.#child.connected) this.#child.send(order, () => {})
  }

  get isAlive(): boolean {
    // It takes a while until the end of one that was killed is known.
    return !this.#isKilled && this.#child.exitCode === null && this.#child.signalCode === null
  }

  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  kill(): void {
    this.#isKilled = true
    this.#child.kill('SIGKILL')
  }

  /** Ends it because a call hangs: that is told by its work. */
  abort(): void {
    this.#child.kill('SIGKILL')
  }

  async end(): Promise<void> {
    this.kill()
    await this.#closed
  }
}

/** Processes that serve one scenario after the other: to start one takes longer than most of what it is asked to do. */
export class Pool implements AsyncDisposable {
  readonly #idle: ClientProcess[]

  constructor(size: number) {
    this.#idle = Array.from({ length: size }, () => new ClientProcess())
  }

  /** One that nobody uses. */
  take(): ClientProcess {
    return this.#idle.shift() ?? new ClientProcess()
  }

  /** In the place of one that was killed comes another. */
  giveBack(process: ClientProcess): void {
    this.#idle.push(process.isAlive ? process : new ClientProcess())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#idle.map((process) => process.end()))
  }
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
