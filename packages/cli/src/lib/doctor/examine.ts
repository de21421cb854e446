import type { ConnectionOptions } from 'node:tls'
import type { ServerConfig } from '@fieldwise/memcached/servers'
import { BinaryClient, speaksBinary } from '../wire/binary-client.js'
import type { MemcachedClient } from '../wire/memcached-client.js'
import { TextClient } from '../wire/text-client.js'
import { Wire, WireFailure } from '../wire/wire.js'
import { type Examination, type Failure, figure, type Intentions } from './examination.js'
import { InTrouble, troubleAsking, troubleConnecting, troubleHeard } from './trouble.js'

/** Finds out what a server is, over connections that ask and store nothing. Resolves whatever it meets. */
export async function examine(server: ServerConfig, intentions: Intentions): Promise<Examination | Failure> {
  try {
    return await new Examiner(server, intentions).examine()
  } catch (error) {
    if (error instanceof InTrouble) return { server, trouble: error.trouble }
    return { server, trouble: troubleAsking(error) }
  }
}

const roundTrips = 5

class Examiner {
  readonly #server: ServerConfig
  readonly #intentions: Intentions

  constructor(server: ServerConfig, intentions: Intentions) {
    this.#server = server
    this.#intentions = intentions
  }

  async examine(): Promise<Examination | Failure> {
    using wire = await this.#connect()
    const [greeting, binary] = await Promise.all([this.#greeting(wire), this.#speaksBinary()])
    // Awaited here, since the wire ends with this call.
    if (greeting !== undefined) return await this.#examineText(wire, greeting, binary)
    if (binary) return await this.#examineBinary()
    throw new InTrouble(await this.#silence())
  }

  async #examineText(wire: Wire, greeting: string, binary: boolean): Promise<Examination> {
    const client = new TextClient(wire)
    const asked = greeting.startsWith('CLIENT_ERROR unauthenticated')
    if (asked) await this.#login(client)
    else if (!greeting.startsWith('VERSION ')) throw new InTrouble(troubleHeard(greeting))
    const meta = /^(EN|HD t-?\d+) O1$/.test(await client.line('mg fieldwise-probe t O1\r\n'))
    return this.#ask(client, { speaks: { meta, binary }, askedForPassword: asked, certificateEnds: wire.certificateEnds })
  }

  /** memcached -S speaks this protocol alone. */
  async #examineBinary(): Promise<Examination> {
    using wire = await this.#connect()
    const client = new BinaryClient(wire)
    const asked = await client.asksForPassword()
    if (asked) await this.#login(client)
    return await this.#ask(client, {
      speaks: { meta: false, binary: true },
      askedForPassword: asked,
      certificateEnds: undefined,
    })
  }

  async #login(client: MemcachedClient): Promise<void> {
    const { credentials } = this.#intentions
    if (credentials === undefined) throw new InTrouble('password-needed')
    // A server may hang up on a wrong password instead of saying so.
    const isIn = await client.login(credentials.username, credentials.password).catch(() => false)
    if (!isIn) throw new InTrouble('password-refused')
  }

  async #ask(client: MemcachedClient, known: Pick<Examination, 'speaks' | 'askedForPassword' | 'certificateEnds'>) {
    const before = Date.now()
    const general = await client.stats()
    const clockAhead = ahead(figure(general, 'time'), before, Date.now())
    const [settings, items] = [await client.stats('settings'), await client.stats('items')]
    const times = []
    for (let asked = 0; asked < roundTrips; asked++) times.push(await timed(() => client.version()))
    const version = await client.version()
    return { server: this.#server, version, general, settings, items, clockAhead, roundTrip: Math.min(...times), ...known }
  }

  /** The first line of the answer; undefined where the server answers nothing in text. */
  async #greeting(wire: Wire): Promise<string | undefined> {
    try {
      // A server of the binary protocol waits until it has the 24 bytes of a head, and then closes at once.
      const line = await new TextClient(wire).line('version\r\nversion\r\nversion\r\n')
      for (let more = 1; more < 3 && /^(VERSION|CLIENT_ERROR unauth)/.test(line); more++) await new TextClient(wire).line('')
      return line
    } catch (error) {
      if (error instanceof WireFailure && error.heard !== '') return error.heard
      return undefined
    }
  }

  /** memcached has no binary protocol inside TLS. */
  async #speaksBinary(): Promise<boolean> {
    if (this.#intentions.tls !== undefined) return false
    try {
      using wire = await this.#open(undefined)
      return await speaksBinary(wire)
    } catch {
      return false
    }
  }

  async #connect(): Promise<Wire> {
    const { tls } = this.#intentions
    try {
      return await this.#open(tls)
    } catch (error) {
      if (!(error instanceof WireFailure)) throw error
      const trouble = troubleConnecting(error)
      // To a server that expects text, the beginning of TLS is a line that does not end.
      const isOpen = trouble === 'no-connection' || trouble === 'hangs-up'
      const isPlain = tls !== undefined && isOpen && (await this.#answersPlain())
      throw new InTrouble(isPlain ? 'tls-missing' : trouble, { cause: error })
    }
  }

  async #answersPlain(): Promise<boolean> {
    try {
      using wire = await this.#open(undefined)
      return (await this.#greeting(wire)) !== undefined
    } catch {
      return false
    }
  }

  /** A server that takes connections and answers in neither protocol. */
  async #silence() {
    const unverified = { ...this.#intentions.tls, rejectUnauthorized: false }
    if (this.#intentions.tls === undefined && (await this.#canOpen(unverified))) return 'tls-needed'
    return 'silent'
  }

  async #canOpen(tls: ConnectionOptions): Promise<boolean> {
    try {
      using _wire = await this.#open(tls)
      return true
    } catch {
      return false
    }
  }

  #open(tls: ConnectionOptions | undefined): Promise<Wire> {
    return Wire.open({ address: this.#server.address, tls, timeout: this.#intentions.timeout })
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}

/** The server tells whole seconds: it is somewhere in the second that it names, between the question and the answer. */
function ahead(second: number, before: number, after: number): number {
  const [least, most] = [second * 1_000 - after, (second + 1) * 1_000 - before]
  return least > 0 ? least : Math.min(most, 0)
}
