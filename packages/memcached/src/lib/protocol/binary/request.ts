import type { StoreRequest } from 'fieldwise/store-contract'
import { exptime } from '../../connection/expiry.js'
import { keyText } from '../../connection/key.js'
import type { ProtocolHost } from '../../connection/protocol.js'
import { frameStart } from './memjs-client.js'
import { Opcode } from './reply.js'
import type { BinaryVersion } from './version.js'

/** Replace, not set, carries a version: a set that the server refuses, out of memory for one, deletes the old item. */
export const opcodes: Readonly<Record<StoreRequest['op'], number>> = {
  get: Opcode.get,
  compare: Opcode.get,
  getAndTouch: Opcode.getAndTouch,
  add: Opcode.add,
  replace: Opcode.replace,
  delete: Opcode.delete,
  touch: Opcode.touch,
}

/** A request up to its value, as text of one byte a character: header, extras and key (protocol_binary.h). `keyLength` is in bytes. */
export function requestText(request: StoreRequest, keyLength: number, opaque: number, host: ProtocolHost): string {
  const extras = extrasOf(request, host)
  const bodyLength = extras.length + keyLength + ('value' in request ? request.value.length : 0)
  const start = frameStart(opcodes[request.op], keyLength, extras.length)
  return start + uint32(bodyLength) + uint32(opaque) + versionOf(request) + extras + keyText(request.key, keyLength)
}

function extrasOf(request: StoreRequest, host: ProtocolHost): string {
  if (!('ttl' in request)) return ''
  const expiration = uint32(exptime(request.ttl, host.serverTime()))
  return 'value' in request ? noFlags + expiration : expiration
}

function versionOf(request: StoreRequest): string {
  if (request.op !== 'replace' || request.version === undefined) return noVersion
  const { high, low } = request.version as BinaryVersion
  return uint32(high) + uint32(low)
}

/** Four bytes, the highest first. */
function uint32(number: number): string {
  return String.fromCharCode(number >>> 24, (number >>> 16) & 0xff, (number >>> 8) & 0xff, number & 0xff)
}

const noFlags = '\0'.repeat(4)
const noVersion = '\0'.repeat(8)
