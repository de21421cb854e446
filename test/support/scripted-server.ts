import { createServer, type Server, type Socket } from 'node:net'

export type Protocol = 'binary' | 'meta'

/** A request as the scripted server understood it. */
export interface ScriptedRequest {
  readonly command: 'get' | 'add' | 'replace' | 'delete' | 'touch' | 'getAndTouch' | 'noop' | 'other'
  readonly key: string
  /** The number that the reply has to repeat. */
  readonly opaque: number
  /** The version that a `replace` asks for, in decimal; undefined without one. */
  readonly version: string | undefined
  /** The expiration as sent: seconds, or a Unix time. */
  readonly exptime: number | undefined
  readonly value: Buffer
  /** The first two bytes or characters: an opcode as `0x21`, or a command word. */
  readonly word: string
  /** The line of text that it begins with, without its end; empty in the binary protocol. */
  readonly line: string
}

export interface ScriptedOptions {
  readonly protocol: Protocol
  /** Called for each request beyond the greeting, in order. What it does not answer stays unanswered. */
  readonly script: (request: ScriptedRequest, peer: Peer) => unknown
  /** Called for each request of the greeting. Answers as a good memcached does unless it returns true. */
  readonly greet?: (request: ScriptedRequest, peer: Peer) => boolean
  /** Answers to the greeting are held back until this has come. */
  readonly greetAfter?: Promise<unknown>
  /** What the greeting tells, besides or instead of the usual. */
  readonly stats?: Readonly<Record<string, string>>
  readonly settings?: Readonly<Record<string, string>>
  /** `user password`, asked for as memcached 1.6.45 with -Y does: it closes on a line that is too short for a login. */
  readonly login?: string
}

/**
 * A server on a loopback port of its own that greets like memcached and then says what the test tells it to, rightly or wrongly. It reads
 * both protocols with code of its own, so that a mistake of the store is not repeated here.
 */
export class ScriptedServer implements AsyncDisposable {
  /** All that ever connected, in order. */
  readonly peers: Peer[] = []
  readonly #server: Server

  static async start(options: ScriptedOptions): Promise<ScriptedServer> {
    return ScriptedServer.raw((peer) => readRequests(peer, options))
  }

  /** A server that speaks no protocol: `accept` is called for each connection. */
  static async raw(accept: (peer: Peer) => void): Promise<ScriptedServer> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    const scripted = new ScriptedServer(server)
    server.on('connection', (socket) => {
      const peer = new Peer(socket, scripted.peers.length)
      scripted.peers.push(peer)
      accept(peer)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return scripted
  }

  private constructor(server: Server) {
    this.#server = server
  }

  get address(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the scripted server is closed')
    return `127.0.0.1:${address.port}`
  }

  /** Every request beyond the greeting, of all connections, as `command key`. */
  get requests(): string[] {
    return this.peers.flatMap((peer) => peer.requests.map((request) => `${request.command} ${request.key}`))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const peer of this.peers) peer.reset()
    await closed
  }
}

/** One connection to a scripted server, seen from the server. */
export class Peer {
  readonly socket: Socket
  /** 0 for the first connection. */
  readonly index: number
  /** The requests beyond the greeting. */
  readonly requests: ScriptedRequest[] = []
  /** All bytes that came in. */
  received = Buffer.alloc(0)
  isLoggedIn = false
  readonly closed: Promise<void>

  constructor(socket: Socket, index: number) {
    this.socket = socket
    this.index = index
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk])
    })
  }

  send(bytes: Buffer | string): void {
    this.socket.write(bytes, 'latin1')
  }

  /** Sends what there is to send and closes in an orderly way. */
  end(): void {
    this.socket.end()
  }

  /** Cuts the connection. */
  reset(): void {
    this.socket.resetAndDestroy()
  }
}

/** The replies that memcached would give, to be sent as they are or after a change for the worse. */
export const replies = {
  binary: {
    hit: (request, value, version = '1') => binaryReply(request, { extras: Buffer.alloc(4), value, version }),
    missing: (request) => binaryReply(request, { status: 1, value: 'Not found' }),
    ok: (request) => binaryReply(request, { extras: request.command === 'touch' ? Buffer.alloc(4) : none, version: '2' }),
    conflict: (request) => binaryReply(request, { status: 2, value: 'Data exists for key.' }),
    outOfMemory: (request) => binaryReply(request, { status: 0x82, value: 'Out of memory' }),
    tooLarge: (request) => binaryReply(request, { status: 3, value: 'Too large.' }),
  },
  meta: {
    hit: (request, value, version = '1') => {
      const bytes = Buffer.from(value)
      const line = `VA ${bytes.length} c${version} t60 O${request.opaque}\r\n`
      return Buffer.concat([Buffer.from(line), bytes, Buffer.from('\r\n')])
    },
    missing: (request) => {
      if (isClassic(request)) return classicReply(request, request.word === 'cas' ? 'NOT_FOUND' : 'NOT_STORED')
      const word = ['get', 'getAndTouch', 'touch'].includes(request.command) ? 'EN' : 'NF'
      return Buffer.from(`${word} O${request.opaque}\r\n`)
    },
    ok: (request) => (isClassic(request) ? classicReply(request, 'STORED') : Buffer.from(`HD O${request.opaque}\r\n`)),
    conflict: (request) => {
      if (isClassic(request)) return classicReply(request, request.word === 'cas' ? 'EXISTS' : 'NOT_STORED')
      return Buffer.from(`${request.command === 'add' ? 'NS' : 'EX'} O${request.opaque}\r\n`)
    },
    outOfMemory: (request) => refusal(request, 'SERVER_ERROR out of memory storing object'),
    tooLarge: (request) => refusal(request, 'SERVER_ERROR object too large for cache'),
  },
} satisfies Record<Protocol, Replies>

function isClassic({ word }: ScriptedRequest): boolean {
  return word in classicCommands
}

/** A classic command's reply has no number; the look that is sent behind it has. */
function classicReply({ opaque }: ScriptedRequest, verdict: string): Buffer {
  return Buffer.from(`${verdict}\r\nHD O${opaque}\r\n`)
}

function refusal(request: ScriptedRequest, line: string): Buffer {
  return isClassic(request) ? classicReply(request, line) : Buffer.from(`${line}\r\n`)
}

export interface Replies {
  hit(request: ScriptedRequest, value: Buffer | string, version?: string): Buffer
  missing(request: ScriptedRequest): Buffer
  /** `stored` or `done`. */
  ok(request: ScriptedRequest): Buffer
  conflict(request: ScriptedRequest): Buffer
  outOfMemory(request: ScriptedRequest): Buffer
  tooLarge(request: ScriptedRequest): Buffer
}

export interface BinaryReply {
  readonly magic?: number
  readonly opcode?: number
  readonly opaque?: number
  readonly status?: number
  readonly extras?: Buffer
  readonly key?: string
  readonly value?: Buffer | string
  readonly version?: string
}

/** A reply of the binary protocol, right unless `reply` says otherwise (protocol_binary.h). */
export function binaryReply(request: ScriptedRequest, reply: BinaryReply = {}): Buffer {
  const [extras, key, value] = [reply.extras ?? none, Buffer.from(reply.key ?? ''), Buffer.from(reply.value ?? '')]
  const header = Buffer.alloc(24)
  header[0] = reply.magic ?? 0x81
  header[1] = reply.opcode ?? Number(request.word)
  header.writeUInt16BE(key.length, 2)
  header[4] = extras.length
  header.writeUInt16BE(reply.status ?? 0, 6)
  header.writeUInt32BE(extras.length + key.length + value.length, 8)
  header.writeUInt32BE(reply.opaque ?? request.opaque, 12)
  header.writeBigUInt64BE(BigInt(reply.version ?? 0), 16)
  return Buffer.concat([header, extras, key, value])
}

const none = Buffer.alloc(0)

function readRequests(peer: Peer, options: ScriptedOptions): void {
  const read = options.protocol === 'binary' ? readBinary : readMeta
  let position = 0
  peer.socket.on('data', () => {
    for (;;) {
      const next = read(peer.received.subarray(position))
      if (next === undefined) return
      position += next.length
      take(next.request, peer, options)
    }
  })
}

function take(request: ScriptedRequest, peer: Peer, options: ScriptedOptions): void {
  if (options.login !== undefined && !peer.isLoggedIn) {
    askWhoIsThere(request, peer, options.login)
  } else if (isOfSession(request)) {
    peer.requests.push(request)
    options.script(request, peer)
  } else if (options.greet?.(request, peer) !== true) {
    const greeting = options.protocol === 'binary' ? greetBinary(request, options) : greetMeta(request, options)
    if (options.greetAfter === undefined) peer.send(greeting)
    else void options.greetAfter.then(() => peer.send(greeting))
  }
}

function askWhoIsThere({ line, word, value }: ScriptedRequest, peer: Peer, login: string): void {
  if (`${line}\r`.length < shortestLogin) return peer.reset()
  if (word !== 'set') return peer.send('CLIENT_ERROR unauthenticated\r\n')
  peer.isLoggedIn = value.toString('latin1') === login
  peer.send(peer.isLoggedIn ? 'STORED\r\n' : 'CLIENT_ERROR authentication failure\r\n')
}

const shortestLogin = 6

function isOfSession({ command, key }: ScriptedRequest): boolean {
  return command !== 'other' && command !== 'noop' && key !== 'fieldwise-probe'
}

function usualStats(): Record<string, string> {
  return { pid: '1', time: String(Math.floor(Date.now() / 1_000)) }
}

const usualSettings = { item_size_max: '1048576', cas_enabled: 'yes' }

function statsFor(request: ScriptedRequest, options: ScriptedOptions): [string, string][] {
  const stats = request.key === 'settings' ? { ...usualSettings, ...options.settings } : { ...usualStats(), ...options.stats }
  return Object.entries(stats).filter(([, value]) => value !== '')
}

function greetBinary(request: ScriptedRequest, options: ScriptedOptions): Buffer {
  switch (request.word) {
    case '0x0b':
      return binaryReply(request, { value: '1.6.18' })
    case '0x0a':
      return binaryReply(request)
    case '0x10': {
      const stats = statsFor(request, options).map(([key, value]) => binaryReply(request, { key, value }))
      return Buffer.concat([...stats, binaryReply(request)])
    }
    default:
      return binaryReply(request, { status: 0x81, value: 'Unknown command' })
  }
}

function greetMeta(request: ScriptedRequest, options: ScriptedOptions): string {
  switch (request.word) {
    case 'version':
      return 'VERSION 1.6.18\r\n'
    case 'mn':
      return 'MN\r\n'
    case 'mg':
      return `EN O${request.opaque}\r\n`
    case 'stats':
      return `${statsFor(request, options)
        .map(([key, value]) => `STAT ${key} ${value}\r\n`)
        .join('')}END\r\n`
    default:
      return 'ERROR\r\n'
  }
}

interface ReadRequest {
  readonly request: ScriptedRequest
  readonly length: number
}

function readBinary(bytes: Buffer): ReadRequest | undefined {
  if (bytes.length < 24 || bytes.length < 24 + bytes.readUInt32BE(8)) return undefined
  const [keyLength, extrasLength, body] = [bytes.readUInt16BE(2), bytes[4] as number, bytes.readUInt32BE(8)]
  const opcode = bytes[1] as number
  const cas = bytes.readBigUInt64BE(16)
  const request: ScriptedRequest = {
    command: binaryCommands[opcode] ?? 'other',
    word: `0x${opcode.toString(16).padStart(2, '0')}`,
    key: bytes.toString('utf8', 24 + extrasLength, 24 + extrasLength + keyLength),
    opaque: bytes.readUInt32BE(12),
    version: cas === 0n ? undefined : String(cas),
    exptime: extrasLength === 0 ? undefined : bytes.readUInt32BE(24 + extrasLength - 4),
    value: bytes.subarray(24 + extrasLength + keyLength, 24 + body),
    line: '',
  }
  return { request, length: 24 + body }
}

const binaryCommands: Readonly<Record<number, ScriptedRequest['command']>> = {
  0: 'get',
  2: 'add',
  3: 'replace',
  4: 'delete',
  10: 'noop',
  28: 'touch',
  29: 'getAndTouch',
}

function readMeta(bytes: Buffer): ReadRequest | undefined {
  const end = bytes.indexOf('\r\n')
  if (end < 0) return undefined
  const line = bytes.toString('utf8', 0, end)
  const [word = '', key = '', ...flags] = line.split(' ')
  const size = word === 'ms' ? Number(flags.shift()) : word === 'set' || word in classicCommands ? Number(flags[2]) : undefined
  const dataEnd = size === undefined ? end + 2 : end + 2 + size + 2
  if (bytes.length < dataEnd) return undefined
  if (word in classicCommands) return readClassic(bytes, { word, key, flags, line, value: bytes.subarray(end + 2, dataEnd - 2) })
  const length = dataEnd
  const token = (letter: string) => flags.find((flag) => flag.startsWith(letter))?.slice(1)
  const request: ScriptedRequest = {
    command: metaCommand(word, flags),
    word,
    key,
    opaque: Number(token('O') ?? -1),
    version: token('C'),
    exptime: token('T') === undefined ? undefined : Number(token('T')),
    value: bytes.subarray(end + 2, end + 2 + (size ?? 0)),
    line,
  }
  return { request, length }
}

interface ClassicLine extends Pick<ScriptedRequest, 'word' | 'key' | 'line' | 'value'> {
  readonly flags: readonly string[]
}

/** A classic command, and the look at its key behind it. */
function readClassic(bytes: Buffer, { word, key, flags, line, value }: ClassicLine): ReadRequest | undefined {
  const start = line.length + 2 + value.length + 2
  const end = bytes.indexOf('\r\n', start)
  if (end < 0) return undefined
  const look = new RegExp(`^mg ${key} O(\\d+)$`).exec(bytes.toString('utf8', start, end))
  const request: ScriptedRequest = {
    command: classicCommands[word] as ScriptedRequest['command'],
    word,
    key,
    opaque: Number(look?.[1] ?? -1),
    version: flags[3],
    exptime: Number(flags[1]),
    value,
    line,
  }
  return { request, length: end + 2 }
}

const classicCommands: Readonly<Record<string, ScriptedRequest['command']>> = { add: 'add', replace: 'replace', cas: 'replace' }

function getCommand(flags: readonly string[]): ScriptedRequest['command'] {
  if (!flags.some((flag) => flag.startsWith('T'))) return 'get'
  return flags.includes('v') ? 'getAndTouch' : 'touch'
}

function metaCommand(word: string, flags: readonly string[]): ScriptedRequest['command'] {
  switch (word) {
    case 'mg':
      return getCommand(flags)
    case 'ms':
      return flags.includes('ME') ? 'add' : 'replace'
    case 'md':
      return 'delete'
    case 'mn':
      return 'noop'
    default:
      return 'other'
  }
}
