import type { Flight, StoreRequest } from 'fieldwise/store-contract'
import {
  type Command,
  type Credentials,
  type Done,
  type Protocol,
  ProtocolError,
  type ProtocolHost,
  proxyHint,
  type ServerFacts,
} from '../../connection/protocol.js'
import { type Stats, serverFacts, timeOf } from '../../connection/server-facts.js'
import { BinaryCommand, logsIn, type Question, succeeds, succeedsIfKnown, tellsStats } from './command.js'
import { type BinaryConnection, BinaryFlight } from './flight.js'
import { MemjsClient, type Reply } from './memjs-client.js'
import { Opcode, Status } from './reply.js'

/** memcached's binary protocol (protocol_binary.h), spoken through memjs. */
export class BinaryProtocol implements Protocol, BinaryConnection {
  readonly silenceHint = `memcached -Y, -Z and -B ascii take protocol: 'meta'; ${proxyHint}`
  readonly host: ProtocolHost
  readonly origin = {}
  readonly #credentials: Credentials | undefined
  readonly client = new MemjsClient()

  constructor(host: ProtocolHost, credentials: Credentials | undefined) {
    this.host = host
    this.#credentials = credentials
  }

  async greet(deadline: number): Promise<ServerFacts> {
    if (this.#credentials !== undefined) await this.#logIn(this.#credentials, deadline)
    const [[version], general, settings] = await Promise.all([
      this.#ask(deadline, { opcode: Opcode.version, judge: succeeds }),
      this.#ask(deadline, { opcode: Opcode.stat, judge: tellsStats }),
      this.#ask(deadline, { opcode: Opcode.stat, key: 'settings', judge: tellsStats }),
    ])
    return serverFacts(textOf(version), statsOf(general), statsOf(settings))
  }

  async readTime(deadline: number): Promise<number> {
    return timeOf(statsOf(await this.#ask(deadline, { opcode: Opcode.stat, judge: tellsStats })))
  }

  flight(requests: readonly StoreRequest[], deadline: number, resolve: (flight: Flight) => void): Command {
    return new BinaryFlight(this, requests, deadline, resolve)
  }

  ping(deadline: number, done: Done): Command {
    const resolve = (_replies: unknown, at: number): void => done.resolve(at)
    return new BinaryCommand(this.client, { opcode: Opcode.noop, judge: succeeds }, deadline, { ...done, resolve })
  }

  /** SASL PLAIN (RFC 4616). A server without SASL needs no login and is not shown the password. */
  async #logIn({ username, password }: Credentials, deadline: number): Promise<void> {
    const [offer] = await this.#ask(deadline, { opcode: Opcode.saslList, judge: succeedsIfKnown })
    if (offer?.header.status === Status.unknownCommand) return
    if (!textOf(offer).split(' ').includes('PLAIN')) {
      throw new ProtocolError("offers no SASL PLAIN: add it to mech_list in the server's SASL configuration")
    }
    const value = `\0${username}\0${password}`
    await this.#ask(deadline, { opcode: Opcode.saslAuth, key: 'PLAIN', value, judge: logsIn })
  }

  #ask(deadline: number, question: Question): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      this.host.ask(new BinaryCommand(this.client, question, deadline, { resolve, reject }))
    })
  }
}

function textOf(reply: Reply | undefined): string {
  return reply?.val.toString('latin1') ?? ''
}

function statsOf(replies: readonly Reply[]): Stats {
  return new Map(replies.map((reply) => [reply.key.toString('latin1'), textOf(reply)]))
}
