import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/**
 * A keep-alive connection that has one request under way at a time. It reads no more of an answer than a benchmark needs: the machine's
 * time is for the server.
 */
export class HttpConnection {
  readonly #socket: Socket
  #text = ''
  #take: ((answer: Answer) => void) | undefined
  #fail: ((error: Error) => void) | undefined

  static async open(port: number): Promise<HttpConnection> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new HttpConnection(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => this.#read(chunk))
    socket.on('error', (error) => this.#fail?.(error))
    socket.on('close', () => this.#fail?.(new Error('the server closed the connection')))
  }

  /** `request` as it goes over the wire. */
  ask(request: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#take = resolve
      this.#fail = reject
      this.#socket.write(request, 'latin1')
    })
  }

  #read(chunk: string): void {
    this.#text += chunk
    const headEnd = this.#text.indexOf('\r\n\r\n')
    if (headEnd === -1) return
    const head = this.#text.slice(0, headEnd)
    const end = headEnd + 4 + lengthIn(head)
    if (this.#text.length < end) return
    const body = this.#text.slice(headEnd + 4, end)
    this.#text = this.#text.slice(end)
    this.#take?.({ status: Number(head.slice(9, 12)), head, body })
  }
}

/** RFC 9110, section 8.6. Express gives the length of every JSON answer. */
function lengthIn(head: string): number {
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new Error(`an answer without its length: ${head}`)
  return Number(length)
}

/** A request without a body. */
export function requestText(method: 'GET' | 'POST', path: string, cookie: string): string {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...(cookie === '' ? [] : [`Cookie: ${cookie}`])]
  return `${lines.join('\r\n')}${method === 'POST' ? '\r\nContent-Length: 0' : ''}\r\n\r\n`
}
