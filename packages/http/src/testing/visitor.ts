import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { parseSetCookie } from 'cookie'

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly setCookies: readonly string[]
  readonly body: string
}

export interface Sending {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Called with what has arrived of the body, each time more of it has. */
  readonly onData?: (soFar: string) => void
  readonly onRequest?: (sent: ClientRequest) => void
}

/** A browser at one host, as far as cookies go: it keeps what it is given and sends it back. It connects to loopback, whatever the host. */
export class Visitor {
  readonly #port: number
  readonly #host: string
  readonly cookies = new Map<string, string>()

  constructor(port: number, host = 'www.shop.localhost') {
    this.#port = port
    this.#host = host
  }

  /** Another browser with the same cookies: what a request that left earlier carries. */
  clone(): Visitor {
    const twin = new Visitor(this.#port, this.#host)
    for (const [name, value] of this.cookies) twin.cookies.set(name, value)
    return twin
  }

  get(path: string, sending: Sending = {}): Promise<Answer> {
    return this.send(path, sending)
  }

  async send(path: string, { method = 'GET', headers = {}, onData, onRequest }: Sending = {}): Promise<Answer> {
    const sent = request({
      host: '127.0.0.1',
      port: this.#port,
      path,
      method,
      headers: { host: `${this.#host}:${this.#port}`, ...this.#cookieHeader(), ...headers },
    })
    onRequest?.(sent)
    sent.end()
    const response = await answered(sent)
    let body = ''
    for await (const chunk of response.setEncoding('utf8')) {
      body += chunk
      onData?.(body)
    }
    const setCookies = response.headers['set-cookie'] ?? []
    for (const line of setCookies) this.#keep(line)
    return { status: response.statusCode ?? 0, headers: response.headers, setCookies, body }
  }

  #cookieHeader(): { cookie?: string } {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    return cookie === '' ? {} : { cookie }
  }

  #keep(line: string): void {
    const { name, value = '', maxAge } = parseSetCookie(line)
    if (maxAge === 0) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }
}

function answered(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.on('response', resolve)
    sent.on('error', reject)
  })
}
