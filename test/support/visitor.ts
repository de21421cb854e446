/** A browser, as far as cookies and forms go. */
export class Visitor {
  readonly #origin: string
  readonly cookies = new Map<string, string>()
  /** The `Set-Cookie` lines of the last answer. */
  setCookies: readonly string[] = []

  constructor(port: number) {
    this.#origin = `http://127.0.0.1:${port}`
  }

  /** Another browser with the same cookies: what somebody has who copied them. */
  clone(): Visitor {
    const twin = new Visitor(Number(new URL(this.#origin).port))
    for (const [name, value] of this.cookies) twin.cookies.set(name, value)
    return twin
  }

  async get(path: string): Promise<string> {
    return (await this.send(path)).text()
  }

  /** Sends a form and follows where that leads. Resolves with the page. */
  async post(path: string, form: Readonly<Record<string, string>> = {}): Promise<string> {
    const answer = await this.send(path, { method: 'POST', body: new URLSearchParams(form) })
    const location = answer.headers.get('location')
    return location === null ? `${answer.status} ${await answer.text()}` : this.get(location)
  }

  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(new URL(path, this.#origin), { ...init, headers: { cookie }, redirect: 'manual' })
    this.setCookies = answer.headers.getSetCookie()
    for (const line of this.setCookies) this.#keep(line)
    return answer
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (/max-age=0\b/i.test(line)) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }
}
