import { ProtocolError, readForeign } from '../../connection/protocol.js'
import { parseReply, type Reply } from './memjs-client.js'

/** The length of the header of requests and replies, in bytes. */
export const headerLength = 24

/** protocol_binary.h: the commands that are used here. */
export const Opcode = {
  get: 0x00,
  add: 0x02,
  replace: 0x03,
  delete: 0x04,
  noop: 0x0a,
  version: 0x0b,
  stat: 0x10,
  touch: 0x1c,
  getAndTouch: 0x1d,
  saslList: 0x20,
  saslAuth: 0x21,
} as const

/** protocol_binary.h: the answers that are told apart here. */
export const Status = {
  ok: 0x00,
  missing: 0x01,
  exists: 0x02,
  tooLarge: 0x03,
  authFailed: 0x20,
  unknownCommand: 0x81,
  outOfMemory: 0x82,
} as const

/** One reply; or, when it is not all there, minus the bytes needed. Everything is checked before memjs takes it apart. */
export function readReply(bytes: Buffer, start: number, opcode: number, opaque: number, largest: number): Reply | number {
  const end = checkReply(bytes, start, opcode, opaque, largest)
  return end < 0 ? end : parseReply(bytes.subarray(start, end))
}

/**
 * Where the reply that begins at `start` ends; or, when it is not all there, minus the bytes needed.
 *
 * @throws {ProtocolError} when it is not the reply to `opcode` and `opaque`, or its lengths cannot be.
 */
export function checkReply(bytes: Buffer, start: number, opcode: number, opaque: number, largest: number): number {
  if (bytes[start] !== responseMagic) return readForeign(bytes, start)
  const there = bytes.length - start
  if (there < headerLength) return -headerLength
  if (bytes[start + 1] !== opcode || bytes.readUInt32BE(start + 12) !== opaque) {
    throw new ProtocolError('answered another request than the one that was due')
  }
  const body = bytes.readUInt32BE(start + 8)
  if (bytes.readUInt16BE(start + 2) + (bytes[start + 4] as number) > body) throw new ProtocolError(contradiction)
  if (body > largest) throw new ProtocolError('sent an answer that is larger than any to this request')
  const length = headerLength + body
  return there < length ? -length : start + length
}

/** Whether the reply that begins at `start` says that all went well. */
export function isSuccess(bytes: Buffer, start: number): boolean {
  return bytes.readUInt16BE(start + 6) === Status.ok
}

/** The value in a reply that succeeds to a get, which has flags before it and no key. It ends at `end`. */
export function valueIn(bytes: Buffer, start: number, end: number): Buffer {
  if (bytes.readUInt16BE(start + 2) !== 0 || bytes[start + 4] !== flagsLength) throw new ProtocolError(contradiction)
  return bytes.subarray(start + headerLength + flagsLength, end)
}

const responseMagic = 0x81
const flagsLength = 4
const contradiction = 'sent an answer whose lengths contradict each other'

/** What a status means that does not belong to the request. */
export function explainStatus(status: number): string {
  switch (status) {
    case Status.authFailed:
      return 'asks for a password (SASL): give username and password'
    case Status.unknownCommand:
      return 'does not know a command that sessions need: is a proxy in between? Connect to memcached itself'
    default:
      return `answered with status 0x${status.toString(16)}, which does not belong to the request`
  }
}
