import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { ServerConfig } from '@fieldwise/memcached/servers'
import { BinaryClient, speaksBinary } from '../wire/binary-client.js'
import type { MemcachedClient } from '../wire/memcached-client.js'
import { TextClient } from '../wire/text-client.js'
import { Wire, WireFailure } from '../wire/wire.js'
import { type Examination, type Failure, figure, type Intentions } from './examination.js'
import { refusalByStore } from './refusal.js'
import { InTrouble, type Trouble, troubleAsking, troubleConnecting, troubleHeard } from './trouble.js'

/** Examines a server over connections that only ask, and store nothing. Never rejects: what went wrong is part of the result. */
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

  async examine(): Promise<Examination> {
    const [greeting, binary] = await Promise.all([this.#greeting(), this.#speaksBinary()])
    if (typeof greeting === 'string') return this.#examineText(greeting, binary)
    if (binary) return this.#examineBinary()
    throw new InTrouble(await this.#troubleBehind(greeting))
  }

  async #examineText(greeting: string, binary: boolean): Promise<Examination> {
    const asked = greeting.startsWith('CLIENT_ERROR unauthenticated')
    if (!asked && !greeting.startsWith('VERSION ')) throw new InTrouble(troubleHeard(greeting))
    using wire = await this.#connect()
    const client = new TextClient(wire)
    if (asked) await this.#login(client)
    const meta = /^(EN|HD t-?\d+) O1$/.test(await client.line('mg fieldwise-probe t O1\r\n'))
    const known = { speaks: { meta, binary }, askedForPassword: asked, certificateEnds: wire.certificateEnds }
    // Awaited here, since the wire ends with this call.
    return await this.#ask(client, known)
  }

  /** memcached -S speaks this protocol alone. */
  async #examineBinary(): Promise<Examination> {
    const asked = await this.#asksForPassword()
    using wire = await this.#connect()
    const client = new BinaryClient(wire)
    if (asked) await this.#login(client)
    const known = { speaks: { meta: false, binary: true }, askedForPassword: asked, certificateEnds: undefined }
    return await this.#ask(client, known)
  }

  /** Over a connection of its own: memcached closes it after such an error. */
  async #asksForPassword(): Promise<boolean> {
    using wire = await this.#connect()
    return await new BinaryClient(wire).asksForPassword()
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
    const time = figure(general, 'time')
    const clockAhead = time === undefined ? undefined : ahead(time, before, Date.now())
    const [settings, items] = [await client.stats('settings'), await client.stats('items')]
    const times = []
    for (let asked = 0; asked < roundTrips; asked++) times.push(await timed(() => client.version()))
    const version = await client.version()
    const [addresses, refusal] = await Promise.all([
      addressesOf(this.#server),
      refusalByStore(this.#server, this.#intentions, known.speaks),
    ])
    return {
      server: this.#server,
      addresses,
      refusal,
      version,
      general,
      settings,
      items,
      clockAhead,
      roundTrip: Math.min(...times),
      ...known,
    }
  }

  async #greeting(): Promise<string | WireFailure> {
    using wire = await this.#connect()
    return await greeting(wire)
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
      return typeof (await greeting(wire)) === 'string'
    } catch {
      return false
    }
  }

  /** Why a server takes connections and answers in neither protocol. */
  async #troubleBehind(silence: WireFailure): Promise<Trouble> {
    const isPlain = this.#intentions.tls === undefined
    return isPlain && (await this.#canOpen({ rejectUnauthorized: false })) ? 'tls-needed' : troubleAsking(silence)
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

/** The first line of the answer to a line of text, or why there is none. */
async function greeting(wire: Wire): Promise<string | WireFailure> {
  try {
    // A server of the binary protocol waits for the 24 bytes of a head, and then closes at once.
    return await new TextClient(wire).line('version\r\nversion\r\nversion\r\n')
  } catch (error) {
    if (!(error instanceof WireFailure)) throw error
    return error.heard === '' ? error : error.heard
  }
}

/** None where they cannot be found out. */
async function addressesOf({ address }: ServerConfig): Promise<readonly LookupAddress[]> {
  if ('path' in address || isIP(address.host) !== 0) return []
  return lookup(address.host, { all: true }).catch(() => [])
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
