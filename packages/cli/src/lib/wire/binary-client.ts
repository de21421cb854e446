import type { MemcachedClient, StatsMap } from './memcached-client.js'
import { type Take, type Wire, WireFailure } from './wire.js'

/** memcached's binary protocol (protocol_binary.h). */
export class BinaryClient implements MemcachedClient {
  readonly #wire: Wire

  constructor(wire: Wire) {
    this.#wire = wire
  }

  async version(): Promise<string> {
    return (await this.#ask(request(opcodes.version))).value
  }

  async stats(group = ''): Promise<StatsMap> {
    const stats = new Map<string, string>()
    // The last one has no key.
    for (let reply = await this.#ask(request(opcodes.stat, group)); reply.key !== ''; reply = await this.#ask('')) {
      stats.set(reply.key, reply.value)
    }
    return stats
  }

  /** SASL PLAIN (RFC 4616). */
  async login(username: string, password: string): Promise<boolean> {
    const { status } = await this.#ask(request(opcodes.saslAuth, 'PLAIN', `\0${username}\0${password}`))
    return status === 0
  }

  /** Whether the server keeps statistics to those who have logged in. */
  async asksForPassword(): Promise<boolean> {
    const { status } = await this.#ask(request(opcodes.get, 'fieldwise-probe'))
    return status === authenticationNeeded
  }

  #ask(bytes: Buffer | ''): Promise<BinaryReply> {
    return this.#wire.ask(bytes, oneReply)
  }
}

/** Asks for the version in a way that a server without this protocol answers at once: with an error to a line of text. */
export async function speaksBinary(wire: Wire): Promise<boolean> {
  const question = Buffer.concat([request(opcodes.version), Buffer.from('\r\n')])
  return wire.ask(question, (bytes) =>
    bytes.length === 0 ? undefined : { value: bytes[0] === replyMagic, length: bytes.length },
  )
}

interface BinaryReply {
  readonly status: number
  readonly key: string
  readonly value: string
}

const replyMagic = 0x81
const headLength = 24
const authenticationNeeded = 0x20
const opcodes = { get: 0x00, version: 0x0b, stat: 0x10, saslAuth: 0x21 }

function request(opcode: number, key = '', value = ''): Buffer {
  const body = Buffer.from(key + value)
  const head = Buffer.alloc(headLength)
  head[0] = 0x80
  head[1] = opcode
  head.writeUInt16BE(Buffer.byteLength(key), 2)
  head.writeUInt32BE(body.length, 8)
  return Buffer.concat([head, body])
}

const oneReply: Take<BinaryReply> = (bytes) => {
  if (bytes.length > 0 && bytes[0] !== replyMagic) throw new WireFailure('closed', bytes.toString('latin1', 0, 64))
  if (bytes.length < headLength || bytes.length < headLength + bytes.readUInt32BE(8)) return undefined
  const keyAt = headLength + (bytes[4] as number)
  const valueAt = keyAt + bytes.readUInt16BE(2)
  const length = headLength + bytes.readUInt32BE(8)
  const reply = {
    status: bytes.readUInt16BE(6),
    key: bytes.toString('latin1', keyAt, valueAt),
    value: bytes.toString('latin1', valueAt, length),
  }
  return { value: reply, length }
}
