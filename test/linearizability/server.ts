import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Memcached, textCommand } from '../support/memcached.js'
import type { Incident } from './history.js'

/** A memcached that keeps its memory in a file, and what befalls it. One thing at a time: what is asked for meanwhile waits. */
export class Server implements AsyncDisposable {
  readonly label: string
  /** By which sessions may have been lost. */
  readonly incidents: Incident[] = []
  readonly #folder: string
  readonly #memcached: Memcached
  #last: Promise<unknown> = Promise.resolve()

  static async start(label: string): Promise<Server> {
    const folder = mkdtempSync(join(existsSync(tmpfs) ? tmpfs : tmpdir(), 'fieldwise-memory-'))
    const flags = ['-e', join(folder, 'memory'), ...size]
    try {
      return new Server(label, folder, await Memcached.start({ flags }))
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      throw error
    }
  }

  private constructor(label: string, folder: string, memcached: Memcached) {
    this.label = label
    this.#folder = folder
    this.#memcached = memcached
  }

  get address(): string {
    return this.#memcached.address
  }

  /** It is killed, and comes back empty after `away` milliseconds. */
  restartCold(away: number): Promise<void> {
    return this.#inTurn(async () => {
      const began = moment()
      await this.#memcached.stop()
      await sleep(away)
      await this.#memcached.start()
      this.#note('cold restart', began)
    })
  }

  /** It is stopped, and comes back with what it held. Resolves with whether it did: what it holds is lost without a word otherwise. */
  restartWarm(): Promise<boolean> {
    return this.#inTurn(async () => {
      await textCommand(this.#memcached, 'set sentinel 0 0 4\r\nwarm')
      const began = moment()
      await this.#memcached.stop('SIGUSR1')
      // It discards its memory if it is started in the second in which it stopped.
      await sleep(1_050 - (Date.now() % 1_000))
      await this.#memcached.start()
      const isWarm = (await textCommand(this.#memcached, 'get sentinel', 'END\r\n')).includes('warm')
      if (!isWarm) this.#note('cold restart', began)
      return isWarm
    })
  }

  freeze(length: number): Promise<void> {
    return this.#inTurn(async () => {
      await this.#memcached.freeze()
      await sleep(length)
      this.#memcached.thaw()
    })
  }

  /** Its memory is filled with other things, so that what sessions have not used lately is evicted. Resolves with how many items were. */
  fill(): Promise<number> {
    return this.#inTurn(async () => {
      const began = moment()
      const before = await this.#evictions()
      const socket = connect(this.#memcached.port, '127.0.0.1')
      let evicted = 0
      const until = performance.now() + longest
      for (let batch = 0; performance.now() < until && evicted < enough; batch++) {
        await storeOthers(socket, batch)
        if (batch % 10 === 0) evicted = (await this.#evictions()) - before
      }
      socket.destroy()
      if (evicted > 0) this.#note('eviction', began)
      return evicted
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {})
    await this.#memcached[Symbol.asyncDispose]()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#last.catch(() => {}).then(act)
    this.#last = turn
    return turn
  }

  async #evictions(): Promise<number> {
    const told = await textCommand(this.#memcached, 'stats', 'END\r\n')
    return Number(/STAT evictions (\d+)/.exec(told)?.[1])
  }

  #note(kind: Incident['kind'], began: number): void {
    this.incidents.push({ kind, server: this.label, began, ended: moment() })
  }
}

const tmpfs = '/dev/shm'
/** Few classes of sizes: each takes a page when memcached keeps its memory in a file, and all pages are filled when it starts. */
const size = ['-m', '16', '-f', '2']

/** So many evictions that each size has lost all that was there before; and how long that may take, in milliseconds. */
const enough = 15_000
const longest = 3_000

/** Items of all sizes that those of sessions have. */
async function storeOthers(socket: ReturnType<typeof connect>, batch: number): Promise<void> {
  const commands = Array.from({ length: batchSize }, (_, index) => {
    const length = 40 + ((batch * batchSize + index) % 200)
    return `set other:${batch}:${index} 0 3600 ${length}\r\n${'x'.repeat(length)}\r\n`
  })
  socket.write(commands.join(''))
  for (let answered = 0; answered < batchSize; ) {
    const [chunk] = await once(socket, 'data')
    answered += String(chunk).split('\n').length - 1
  }
}

const batchSize = 500

function moment(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
