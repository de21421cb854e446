import { type FieldwiseError, StoreUnavailableError } from 'fieldwise'
import type { Flight, StoreAnswer, StoreRequest, Version } from 'fieldwise/store-contract'
import { exptime } from './expiry.js'
import { conflict, done, FlightExchange, missing, stored } from './flight-exchange.js'
import { Code, MetaReply } from './meta-reply.js'
import { tooLarge, unsent } from './refusal.js'
import { type Stats, serverFacts } from './server-facts.js'
import {
  type Bytes,
  type Credentials,
  type Done,
  type Exchange,
  type Fate,
  ForeignLine,
  type ServerFacts,
  type Wire,
  WireError,
  type WireHost,
} from './wire.js'

/** memcached's meta protocol (protocol.txt, "Meta Commands"): every request carries a number that its reply repeats. */
export class MetaWire implements Wire {
  readonly silenceHint = "memcached -S takes protocol: 'binary', memcached -Z takes tls, and tls takes memcached -Z"
  readonly host: WireHost
  /** The line that is being read. */
  readonly reply = new MetaReply()
  readonly #credentials: Credentials | undefined
  #opaque = 0

  constructor(host: WireHost, credentials: Credentials | undefined) {
    this.host = host
    this.#credentials = credentials
  }

  async greet(deadline: number): Promise<ServerFacts> {
    if (this.#credentials !== undefined) await this.#logIn(this.#credentials, deadline)
    const [[version = ''], general, settings] = await Promise.all([
      this.#ask(deadline, 'version\r\n', versionLine),
      this.#ask(deadline, 'stats\r\n', statsLine),
      this.#ask(deadline, 'stats settings\r\n', statsLine),
      this.#ask(deadline, 'mg fieldwise-probe t O1\r\n', probeLine),
    ])
    return serverFacts(version.slice('VERSION '.length), statsOf(general), statsOf(settings))
  }

  flight(requests: readonly StoreRequest[], deadline: number, resolve: (flight: Flight) => void): Exchange {
    return new MetaFlight(this, requests, deadline, resolve)
  }

  ping(deadline: number, { resolve, reject }: Done): Exchange {
    return new MetaCommand('mn\r\n', noopLine, deadline, { resolve: (_lines, at) => resolve(at), reject })
  }

  nextOpaque(): number {
    this.#opaque = (this.#opaque + 1) >>> 0
    return this.#opaque
  }

  /** protocol.txt, "Authentication". A server that asks for no password must not be sent one: it would store it. */
  async #logIn({ username, password }: Credentials, deadline: number): Promise<void> {
    const [answer] = await this.#ask(deadline, 'mn\r\n', loginLine)
    if (answer === 'MN') return
    const token = Buffer.from(`${username} ${password}`)
    await this.#ask(deadline, `set auth 0 0 ${token.length}\r\n${token.toString('latin1')}\r\n`, verdictLine)
  }

  #ask(deadline: number, command: string, take: TakeLine): Promise<string[]> {
    return new Promise((resolve, reject) => {
      this.host.ask(new MetaCommand(command, take, deadline, { resolve, reject }))
    })
  }
}

/** Looks at a line of an answer and says whether it is the last. @throws {WireError} when it does not belong there. */
type TakeLine = (line: string) => boolean

/** A version is good on the connection that read it. */
class MetaVersion {
  readonly wire: MetaWire
  readonly cas: number | string

  constructor(wire: MetaWire, cas: number | string) {
    this.wire = wire
    this.cas = cas
  }
}

/** The requests of one flight as one piece of text, and their replies. */
class MetaFlight extends FlightExchange {
  readonly #wire: MetaWire
  /** The number of the request whose reply is due. All requests of a flight are numbered in a row. */
  #opaque = -1

  constructor(wire: MetaWire, requests: readonly StoreRequest[], deadline: number, resolve: (flight: Flight) => void) {
    super(wire.host, requests, deadline, resolve)
    this.#wire = wire
  }

  protected encodeRequest(request: StoreRequest, keyLength: number, out: Bytes[]): void {
    const opaque = this.#wire.nextOpaque()
    if (this.#opaque < 0) this.#opaque = opaque
    const line = lineOf(request, opaque, this.host)
    // Text leaves as one byte a character, so a key beyond ASCII is encoded here.
    out.push(keyLength === request.key.length ? line : Buffer.from(line))
    if ('value' in request) out.push(request.value, '\r\n')
  }

  protected readReply(request: StoreRequest, bytes: Buffer, start: number): number {
    const reply = this.#wire.reply
    let end: number
    try {
      end = reply.read(bytes, start)
    } catch (error) {
      return start + this.#acceptRefusal(request, error)
    }
    if (end < 0) return end
    if (reply.opaque !== this.#opaque) throw new WireError('answered another request than the one that was due')
    return reply.code === Code.VA ? this.#readValue(request, bytes, start, end) : this.#readPlain(request, end)
  }

  protected isCurrent(version: Version): boolean {
    return version instanceof MetaVersion && version.wire === this.#wire
  }

  #readValue(request: StoreRequest, bytes: Buffer, start: number, line: number): number {
    const reply = this.#wire.reply
    if (request.op !== 'get') throw unfit()
    if (reply.size > this.host.itemSizeMax) throw new WireError('sent an answer that is larger than any item')
    const end = line + reply.size + 2
    if (end > bytes.length) return -(end - start)
    if (bytes[end - 2] !== 0x0d || bytes[end - 1] !== 0x0a) throw unfit()
    if (reply.cas === 0) throw new WireError('gives items no version (memcached -C): start it without -C')
    const version = new MetaVersion(this.#wire, reply.cas)
    const life = reply.life < 0 ? Number.POSITIVE_INFINITY : reply.life * 1_000
    this.#accept({ result: 'found', value: bytes.subarray(line, end - 2), version, life })
    return end
  }

  #readPlain(request: StoreRequest, end: number): number {
    const answer = meanings[request.op][this.#wire.reply.code]
    if (answer === undefined) throw unfit()
    this.#accept(answer)
    return end
  }

  /** A storage command that the server could not carry out is answered by a line without a number, in its turn. */
  #acceptRefusal(request: StoreRequest, error: unknown): number {
    if (!(error instanceof ForeignLine) || !('value' in request)) throw error
    if (error.startsWith('SERVER_ERROR out of memory')) {
      this.#accept(unsent(new StoreUnavailableError('memcached has no memory for this item')))
    } else if (error.startsWith('SERVER_ERROR object too large for cache')) {
      this.#accept(unsent(tooLarge(request.key, request.value.length, request.value.length - 1)))
    } else throw error
    return error.length
  }

  #accept(answer: StoreAnswer): void {
    this.#opaque = (this.#opaque + 1) >>> 0
    this.answer(answer)
  }
}

/** A command that is no part of a session. Its answer is lines of text. */
class MetaCommand implements Exchange {
  calledAt = 0
  sentAt = 0
  settled = false
  complete = false
  deadline: number
  readonly #command: string
  readonly #take: TakeLine
  readonly #done: { resolve(lines: string[], at: number): void; reject(error: FieldwiseError): void }
  readonly #lines: string[] = []

  constructor(
    command: string,
    take: TakeLine,
    deadline: number,
    done: { resolve(lines: string[], at: number): void; reject(error: FieldwiseError): void },
  ) {
    this.#command = command
    this.#take = take
    this.deadline = deadline
    this.#done = done
  }

  encode(out: Bytes[]): void {
    out.push(this.#command)
  }

  read(bytes: Buffer, start: number): number {
    const end = bytes.indexOf('\r\n', start, 'latin1')
    const length = (end < 0 ? bytes.length : end) - start
    if (length > longestStat || this.#lines.length > mostStats) throw unfit()
    if (end < 0) return -(length + 1)
    const line = bytes.toString('latin1', start, end)
    this.#lines.push(line)
    this.complete = this.#take(line)
    return end + 2
  }

  settle(at: number): void {
    if (this.settled) return
    this.settled = true
    this.#done.resolve(this.#lines, at)
  }

  fail(_fate: Fate, error: FieldwiseError): void {
    if (this.settled) return
    this.settled = true
    this.#done.reject(error)
  }
}

function lineOf(request: StoreRequest, opaque: number, host: WireHost): string {
  switch (request.op) {
    case 'get':
      return `mg ${request.key} v c t O${opaque}\r\n`
    case 'add':
      return `ms ${request.key} ${request.value.length} ME T${exptime(request.life, host.serverTime())} O${opaque}\r\n`
    case 'replace':
      return `ms ${request.key} ${request.value.length} ${condition(request.version)} T${exptime(request.life, host.serverTime())} O${opaque}\r\n`
    case 'delete':
      return `md ${request.key} O${opaque}\r\n`
    case 'touch':
      return `mg ${request.key} T${exptime(request.life, host.serverTime())} O${opaque}\r\n`
  }
}

function condition(version: Version | undefined): string {
  return version === undefined ? 'MR' : `C${(version as MetaVersion).cas}`
}

const meanings: Readonly<Record<StoreRequest['op'], Readonly<Record<number, StoreAnswer>>>> = {
  get: { [Code.EN]: missing },
  add: { [Code.HD]: stored, [Code.NS]: conflict },
  replace: { [Code.HD]: stored, [Code.NS]: missing, [Code.NF]: missing, [Code.EX]: conflict },
  delete: { [Code.HD]: done, [Code.NF]: missing },
  touch: { [Code.HD]: done, [Code.EN]: missing },
}

const longestStat = 2_048
const mostStats = 4_096
const tooOld = "speaks no meta protocol, or an early form of it: update memcached to 1.6.18 or later, or write protocol: 'binary'"

function versionLine(line: string): boolean {
  if (line.startsWith('VERSION ')) return true
  throw new ForeignLine(line)
}

function statsLine(line: string): boolean {
  if (line === 'END') return true
  if (line.startsWith('STAT ')) return false
  throw new ForeignLine(line)
}

/** A reply to a miss that does not repeat the number cannot be told from another's. */
function probeLine(line: string): boolean {
  if (/^(EN|HD t-?\d+) O1$/.test(line)) return true
  throw new WireError(tooOld)
}

function noopLine(line: string): boolean {
  if (line === 'MN') return true
  throw new ForeignLine(line)
}

function loginLine(line: string): boolean {
  return line.startsWith('CLIENT_ERROR unauthenticated') || noopLine(line)
}

function verdictLine(line: string): boolean {
  if (line === 'STORED') return true
  throw new WireError('refuses this username and password')
}

function statsOf(lines: readonly string[]): Stats {
  const pairs = lines.map((line) => /^STAT (\S+) (.*)$/.exec(line)).filter((match) => match !== null)
  return new Map(pairs.map((match) => [match[1] as string, match[2] as string]))
}

function unfit(): WireError {
  return new WireError('sent an answer that does not fit the request')
}
