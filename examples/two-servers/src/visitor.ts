import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { json } from 'node:stream/consumers'

/** A browser in small: keeps its connections and its cookie, and says which page it is on. */
export class Visitor {
  readonly #page: string
  readonly #agent: Agent
  #cookie = ''

  /** `connections` is for each server. */
  constructor(page: string, connections: number) {
    this.#page = page
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  /** One visit more. The number of visits so far, or nothing if the server did not say that it was done. */
  count(server: string): Promise<number | undefined> {
    return this.#ask('POST', server)
  }

  /** What the store holds. */
  async visits(server: string): Promise<number> {
    const visits = await this.#ask('GET', server)
    if (visits === undefined) throw new Error(`${server} does not say how many visits it has kept`)
    return visits
  }

  leave(): void {
    this.#agent.destroy()
  }

  /** Node does not resolve names under `localhost` as browsers do, so the name goes into the Host header. */
  async #ask(method: 'GET' | 'POST', server: string): Promise<number | undefined> {
    const { host, port } = new URL(server)
    const headers = { host, origin: this.#page, ...(this.#cookie && { cookie: this.#cookie }) }
    const asked = request({ agent: this.#agent, host: '127.0.0.1', port, method, path: '/visits', headers }).end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    const cookie = answer.headers['set-cookie']?.[0]?.split(';')[0]
    if (cookie !== undefined) this.#cookie = cookie
    if (answer.statusCode !== 200) return void answer.resume()
    return ((await json(answer)) as { visits: number }).visits
  }
}
