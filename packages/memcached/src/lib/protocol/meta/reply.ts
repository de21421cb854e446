import { explainForeign, ProtocolError, readForeign } from '../../connection/protocol.js'

/** The two letters that a meta reply begins with, as one number (protocol.txt, "Meta Commands"). */
export const Code = {
  /** Done. */
  HD: 0x4844,
  /** A value follows. */
  VA: 0x5641,
  /** Nothing is there: the reply to `mg`. */
  EN: 0x454e,
  /** Nothing is there: the reply to `md`, and to `ms` with a version. */
  NF: 0x4e46,
  /** Not stored: `ms` in the modes add and replace. */
  NS: 0x4e53,
  /** The version is another one. */
  EX: 0x4558,
  /** The reply to `mn`. */
  MN: 0x4d4e,
} as const

const codes: ReadonlySet<number> = new Set(Object.values(Code))

/** The first line of a meta reply, read in place: one object serves all replies of a connection. */
export class MetaReply {
  code = 0
  /** The length of the value in bytes. */
  size = 0
  /** The number that the request carried. */
  opaque = -1
  /** The version: a number while that is exact, a string of digits beyond. */
  cas: number | string = 0
  /** The remaining time to live in seconds; -1 is for ever. */
  ttl = 0
  #at = 0

  /**
   * Reads the line that begins at `start`. Returns where it ends; or, if it is not all there, minus the number of bytes needed at least.
   *
   * @throws {ProtocolError} for anything that is not the first line of a meta reply.
   */
  read(bytes: Buffer, start: number): number {
    if (bytes.length - start < shortest) return -shortest
    this.code = ((bytes[start] as number) << 8) | (bytes[start + 1] as number)
    if (!codes.has(this.code)) return readForeign(bytes, start)
    this.#at = start + 2
    this.size = this.code === Code.VA ? this.#readSize(bytes) : 0
    this.opaque = -1
    this.cas = 0
    this.ttl = 0
    while (bytes[this.#at] === space) this.#readFlag(bytes)
    return this.#endOfLine(bytes, start)
  }

  #readSize(bytes: Buffer): number {
    if (bytes[this.#at] === space) this.#at++
    return this.#readNumber(bytes)
  }

  #readFlag(bytes: Buffer): void {
    const flag = bytes[this.#at + 1]
    this.#at += 2
    switch (flag) {
      case flagO:
        this.opaque = this.#readNumber(bytes)
        break
      case flagC:
        this.cas = this.#readCas(bytes)
        break
      case flagT:
        this.ttl = this.#readTtl(bytes)
        break
      default:
        this.#skipToken(bytes)
    }
  }

  #readTtl(bytes: Buffer): number {
    const isForEver = bytes[this.#at] === minus
    if (isForEver) this.#at++
    const seconds = this.#readNumber(bytes)
    if (seconds > (isForEver ? 1 : longestTtl)) throw malformed()
    return isForEver ? -1 : seconds
  }

  /** Up to 64 bits, more than a number holds exactly. */
  #readCas(bytes: Buffer): number | string {
    const start = this.#at
    const number = this.#readNumber(bytes)
    return this.#at - start <= exactDigits ? number : bytes.toString('latin1', start, this.#at)
  }

  #readNumber(bytes: Buffer): number {
    const start = this.#at
    let at = start
    let number = 0
    for (let byte = bytes[at] as number; byte >= zero && byte <= nine; byte = bytes[at] as number) {
      number = number * 10 + byte - zero
      at++
    }
    this.#at = at
    if (at - start > mostDigits || (at === start && at < bytes.length)) throw malformed()
    return number
  }

  #skipToken(bytes: Buffer): void {
    while (this.#at < bytes.length && bytes[this.#at] !== space && bytes[this.#at] !== cr) this.#at++
  }

  #endOfLine(bytes: Buffer, start: number): number {
    if (this.#at - start > longestLine) throw malformed()
    if (this.#at >= bytes.length) return -(bytes.length - start + 1)
    if (bytes[this.#at] !== cr) throw malformed()
    if (this.#at + 1 >= bytes.length) return -(bytes.length - start + 1)
    if (bytes[this.#at + 1] !== lf) throw malformed()
    return this.#at + 2
  }
}

function malformed(): ProtocolError {
  return new ProtocolError(explainForeign(''))
}

const shortest = 'HD\r\n'.length
const longestLine = 1_024
/** In seconds: memcached's times are 32-bit numbers. */
const longestTtl = 2 ** 32 - 1
const exactDigits = 15
const mostDigits = 20
const [space, minus, zero, nine, cr, lf] = [0x20, 0x2d, 0x30, 0x39, 0x0d, 0x0a]
const [flagO, flagC, flagT] = [0x4f, 0x63, 0x74]
