/** A request and its response as a framework shows them. Nothing is asked before the session is used. */
export interface FrameworkPort {
  cookieHeader(): string | undefined
  /** Whether the visitor came over HTTPS, as far as the framework and the proxies that it trusts can tell. */
  secure(): boolean
  /** The host that the visitor came to. */
  hostname(): string | undefined
  /** The path that the visitor came to, as it stands in the URL. */
  path(): string
  /** Whether it is too late to change the response's headers. */
  headersSent(): boolean
  /** Called once, when there is something to say for the first time: see to it that `writeTo` is called before the headers leave. */
  announce(outgoing: Outgoing): void
}

/** What a session has to say to its visitor. */
export interface Outgoing {
  /** Whether there is anything, so that the response cannot go as the app made it. */
  readonly hasNews: boolean
  /** Called again, it replaces what it wrote before. */
  writeTo(headers: ResponseHeaders): void
}

/** A response's status and headers, whatever the case of their names. */
export interface ResponseHeaders {
  status(): number
  names(): Iterable<string>
  get(name: string): string | undefined
  set(name: string, value: string): void
  cookies(): readonly string[]
  setCookies(lines: readonly string[]): void
}
