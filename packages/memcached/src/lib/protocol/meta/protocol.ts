import type { Flight, StoreRequest } from 'fieldwise/store-contract'
import {
  type Command,
  type Credentials,
  type Done,
  type Protocol,
  type ProtocolHost,
  proxyHint,
  type ServerFacts,
} from '../../connection/protocol.js'
import { type Stats, serverFacts, timeOf } from '../../connection/server-facts.js'
import {
  loginLine,
  MetaCommand,
  noopLine,
  passwordNeeded,
  probe,
  probeLine,
  statsLine,
  type TakeLine,
  verdictLine,
  versionLine,
} from './command.js'
import { type MetaConnection, MetaFlight } from './flight.js'
import { MetaReply } from './reply.js'

/** memcached's meta protocol (protocol.txt, "Meta Commands"): every request carries a number that its reply repeats. */
export class MetaProtocol implements Protocol, MetaConnection {
  readonly silenceHint = `memcached -S takes protocol: 'binary', memcached -Z takes tls, and tls takes memcached -Z; ${proxyHint}`
  readonly host: ProtocolHost
  readonly origin = {}
  readonly reply = new MetaReply()
  evicts = true
  readonly #credentials: Credentials | undefined
  #opaque = 0

  constructor(host: ProtocolHost, credentials: Credentials | undefined) {
    this.host = host
    this.#credentials = credentials
  }

  async greet(deadline: number): Promise<ServerFacts> {
    if (this.#credentials !== undefined) await this.#logIn(this.#credentials, deadline)
    const [[version = ''], general, settings] = await Promise.all([
      this.#ask(deadline, 'version\r\n', versionLine),
      this.#ask(deadline, 'stats\r\n', statsLine),
      this.#ask(deadline, 'stats settings\r\n', statsLine),
      this.#ask(deadline, probe, probeLine),
    ])
    const facts = serverFacts(version.slice('VERSION '.length), statsOf(general), statsOf(settings))
    this.evicts = facts.evicts
    return facts
  }

  async readTime(deadline: number): Promise<number> {
    return timeOf(statsOf(await this.#ask(deadline, 'stats\r\n', statsLine)))
  }

  flight(requests: readonly StoreRequest[], deadline: number, resolve: (flight: Flight) => void): Command {
    return new MetaFlight(this, requests, deadline, resolve)
  }

  ping(deadline: number, { resolve, reject }: Done): Command {
    return new MetaCommand('mn\r\n', noopLine, deadline, { resolve: (_lines, at) => resolve(at), reject })
  }

  nextOpaque(): number {
    this.#opaque = (this.#opaque + 1) >>> 0
    return this.#opaque
  }

  /**
   * protocol.txt, "Authentication". A server that asks for no password must not be sent one, since it would store it as an item. So it is
   * first sent a line of 25 bytes, to see whether it asks: since 1.6.44 memcached -Y hangs up on a line under 6 bytes, and memcached -S waits
   * for 24 bytes before it hangs up.
   */
  async #logIn({ username, password }: Credentials, deadline: number): Promise<void> {
    const [answer] = await this.#ask(deadline, probe, loginLine)
    if (!answer?.startsWith(passwordNeeded)) return
    const token = Buffer.from(`${username} ${password}`)
    await this.#ask(deadline, `set auth 0 0 ${token.length}\r\n${token.toString('latin1')}\r\n`, verdictLine)
  }

  #ask(deadline: number, command: string, take: TakeLine): Promise<string[]> {
    return new Promise((resolve, reject) => {
      this.host.ask(new MetaCommand(command, take, deadline, { resolve, reject }))
    })
  }
}

function statsOf(lines: readonly string[]): Stats {
  const pairs = lines.map((line) => /^STAT (\S+) (.*)$/.exec(line)).filter((match) => match !== null)
  return new Map(pairs.map((match) => [match[1] as string, match[2] as string]))
}
