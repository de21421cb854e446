import { measure, type Sample } from '../../lib/meter.js'
import { quantile } from '../../lib/statistics.js'
import { type Answer, HttpConnection, requestText } from './http-connection.js'

export type Route = 'reading' | 'writing'

/** What the visitors of one server saw in one repeat; times in milliseconds. */
export interface ServedCount extends Sample {
  readonly p50: number
  readonly p99: number
  /** Answers other than 200. */
  readonly refused: number
}

/** Connections of one visitor, or of as many visitors as there are connections. */
export class Visitors {
  readonly #connections: readonly HttpConnection[]
  readonly #cookies: readonly string[]

  static async arrive(port: number, connections: number, visitors: number): Promise<Visitors> {
    const opened = await Promise.all(Array.from({ length: connections }, () => HttpConnection.open(port)))
    const cookies: string[] = []
    for (let visitor = 0; visitor < visitors; visitor++) cookies.push(await logIn(opened[visitor] as HttpConnection))
    return new Visitors(opened, cookies)
  }

  private constructor(connections: readonly HttpConnection[], cookies: readonly string[]) {
    this.#connections = connections
    this.#cookies = cookies
  }

  async measure(route: Route, milliseconds: number): Promise<ServedCount> {
    const requests = this.#connections.map((_, index) => this.#request(route, index))
    const latencies: number[] = []
    let refused = 0
    const sample = await measure(this.#connections.length, milliseconds, async (slot) => {
      const begun = performance.now()
      const { status } = await (this.#connections[slot] as HttpConnection).ask(requests[slot] as string)
      latencies.push(performance.now() - begun)
      if (status !== 200) refused++
    })
    const sorted = Float64Array.from(latencies).sort()
    return { ...sample, refused, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) }
  }

  /** How many visits are kept, of all visitors together. Without sessions there is one count for all. */
  async visits(): Promise<number> {
    const cookies = new Set(this.#cookies)
    let sum = 0
    for (const cookie of cookies) sum += await visitsOf(this.#connections[0] as HttpConnection, cookie)
    return sum
  }

  #request(route: Route, connection: number): string {
    const cookie = this.#cookies[connection % this.#cookies.length] as string
    return route === 'reading' ? requestText('GET', '/profile', cookie) : requestText('POST', '/visits', cookie)
  }
}

async function logIn(connection: HttpConnection): Promise<string> {
  const { head } = expectOk(await connection.ask(requestText('POST', '/login', '')))
  return /\r\nset-cookie: ([^;\r]+)/i.exec(head)?.[1] ?? ''
}

async function visitsOf(connection: HttpConnection, cookie: string): Promise<number> {
  const { body } = expectOk(await connection.ask(requestText('GET', '/visits', cookie)))
  return (JSON.parse(body) as { visits: number }).visits
}

function expectOk(answer: Answer): Answer {
  if (answer.status !== 200) throw new Error(`the server answered ${answer.status}`)
  return answer
}
