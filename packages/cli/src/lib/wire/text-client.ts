import type { MemcachedClient, StatsMap } from './memcached-client.js'
import { type Take, type Wire, WireFailure } from './wire.js'

/** memcached's text protocol (protocol.txt). */
export class TextClient implements MemcachedClient {
  readonly #wire: Wire

  constructor(wire: Wire) {
    this.#wire = wire
  }

  async version(): Promise<string> {
    const line = await this.line('version\r\n')
    if (!line.startsWith('VERSION ')) throw new WireFailure('closed', line)
    return line.slice('VERSION '.length)
  }

  async stats(group?: string): Promise<StatsMap> {
    const text = await this.#wire.ask(group === undefined ? 'stats\r\n' : `stats ${group}\r\n`, statsText)
    return new Map([...text.matchAll(/^STAT (\S+) (.*)$/gm)].map((match) => [match[1] as string, match[2] as string]))
  }

  /** protocol.txt, "Authentication": the name and the password stand where a value would. */
  async login(username: string, password: string): Promise<boolean> {
    const token = Buffer.from(`${username} ${password}`)
    const answer = await this.line(`set auth 0 0 ${token.length}\r\n${token.toString('latin1')}\r\n`)
    return answer === 'STORED'
  }

  /** Sends commands and resolves with the first line of the answer, without its end. */
  line(question: string | Buffer): Promise<string> {
    return this.#wire.ask(question, firstLine)
  }
}

const firstLine: Take<string> = (bytes) => {
  const end = bytes.indexOf('\n')
  return end === -1 ? undefined : { value: bytes.toString('latin1', 0, end).replace(/\r$/, ''), length: end + 1 }
}

/** Up to `END`, or an error in a line of its own. */
const statsText: Take<string> = (bytes) => {
  const text = bytes.toString('latin1')
  const match = /(?:^|\n)(?:END|(?:CLIENT_|SERVER_)?ERROR[^\n]*)\r?\n$/.exec(text)
  return match === null ? undefined : { value: text.replaceAll('\r', ''), length: bytes.length }
}
