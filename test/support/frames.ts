import type { Protocol } from './scripted-server.js'

/** A request as it stands in a stream of bytes, read by code that shares nothing with the store's. */
export interface RequestFrame {
  readonly command: 'get' | 'add' | 'replace' | 'delete' | 'touch' | 'getAndTouch' | 'greeting'
  readonly key: string
  /** How many bytes it takes. */
  readonly length: number
  /** Statistics are answered by one reply each, and an empty one that ends them; a classic write and the look behind it by one each. */
  readonly answeredBy: 'one reply' | 'two replies' | 'a series'
}

/** The request that `bytes` begin with; undefined while it is not all there. */
export function readRequest(protocol: Protocol, bytes: Buffer): RequestFrame | undefined {
  return protocol === 'binary' ? readBinaryRequest(bytes) : readMetaRequest(bytes)
}

/** How many bytes the answer takes that `bytes` begin with; 0 while it is not all there. */
export function answerLength(protocol: Protocol, bytes: Buffer, answeredBy: RequestFrame['answeredBy']): number {
  let end = 0
  for (let replies = 1; ; replies++) {
    const rest = bytes.subarray(end)
    const length = protocol === 'binary' ? binaryReplyLength(rest) : metaReplyLength(rest)
    if (length === 0) return 0
    end += length
    if (answeredBy === 'two replies' ? replies === 2 : answeredBy === 'one reply' || endsSeries(protocol, rest)) return end
  }
}

const headerLength = 24

/** protocol_binary.h: what `bytes[1]` asks for. */
const opcodes: Readonly<Record<number, RequestFrame['command']>> = {
  0: 'get',
  2: 'add',
  3: 'replace',
  4: 'delete',
  28: 'touch',
  29: 'getAndTouch',
}

function readBinaryRequest(bytes: Buffer): RequestFrame | undefined {
  const length = binaryReplyLength(bytes)
  if (length === 0) return undefined
  const keyStart = headerLength + (bytes[4] as number)
  return {
    command: opcodes[bytes[1] as number] ?? 'greeting',
    key: bytes.toString('latin1', keyStart, keyStart + bytes.readUInt16BE(2)),
    length,
    answeredBy: bytes[1] === stat ? 'a series' : 'one reply',
  }
}

const stat = 0x10

/** Requests and replies have the same form. */
function binaryReplyLength(bytes: Buffer): number {
  if (bytes.length < headerLength) return 0
  const length = headerLength + bytes.readUInt32BE(8)
  return bytes.length < length ? 0 : length
}

function readMetaRequest(bytes: Buffer): RequestFrame | undefined {
  const line = lineOf(bytes)
  if (line === undefined) return undefined
  const [word = '', key = '', ...flags] = line.split(' ')
  if (word === 'add' || word === 'replace' || word === 'cas')
    return readClassicWrite(bytes, line, word === 'add' ? 'add' : 'replace')
  const body = word === 'ms' ? Number(flags[0]) + 2 : word === 'set' ? Number(flags[2]) + 2 : 0
  const length = line.length + 2 + body
  if (bytes.length < length) return undefined
  return { command: metaCommand(word, key, flags), key, length, answeredBy: word === 'stats' ? 'a series' : 'one reply' }
}

/** With the look at its key behind it. */
function readClassicWrite(bytes: Buffer, line: string, command: 'add' | 'replace'): RequestFrame | undefined {
  const [, key = '', , , size] = line.split(' ')
  const start = line.length + 2 + Number(size) + 2
  const look = bytes.length < start ? undefined : lineOf(bytes.subarray(start))
  return look === undefined ? undefined : { command, key, length: start + look.length + 2, answeredBy: 'two replies' }
}

function metaCommand(word: string, key: string, flags: readonly string[]): RequestFrame['command'] {
  if (word === 'ms') return flags.includes('ME') ? 'add' : 'replace'
  if (word === 'md') return 'delete'
  if (word !== 'mg' || key === 'fieldwise-probe') return 'greeting'
  const isTouching = flags.some((flag) => flag.startsWith('T'))
  return flags.includes('v') ? (isTouching ? 'getAndTouch' : 'get') : 'touch'
}

function metaReplyLength(bytes: Buffer): number {
  const line = lineOf(bytes)
  if (line === undefined) return 0
  const length = line.length + 2 + (line.startsWith('VA ') ? Number(line.split(' ')[1]) + 2 : 0)
  return bytes.length < length ? 0 : length
}

function endsSeries(protocol: Protocol, reply: Buffer): boolean {
  if (protocol === 'binary') return reply.readUInt32BE(8) === 0 || reply.readUInt16BE(6) !== 0
  return !reply.subarray(0, 5).equals(Buffer.from('STAT '))
}

function lineOf(bytes: Buffer): string | undefined {
  const end = bytes.indexOf('\r\n')
  return end < 0 ? undefined : bytes.toString('latin1', 0, end)
}
