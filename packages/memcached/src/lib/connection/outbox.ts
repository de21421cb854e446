/** Bytes to send. In a string, each character is one byte (Latin-1). */
export type Bytes = Buffer | string

/** Bytes that leave a connection together. Text is appended piece by piece, and V8 joins it once, when it leaves. */
export class Outbox {
  readonly #parts: Bytes[] = []
  #text = ''

  /** The parts to write, as few as possible: text without a large value in between is one part. */
  get parts(): readonly Bytes[] {
    return this.#text === '' ? this.#parts : [...this.#parts, this.#text]
  }

  get isEmpty(): boolean {
    return this.#text === '' && this.#parts.length === 0
  }

  text(piece: string): void {
    this.#text += piece
  }

  /** Small buffers go along as text: joining text costs less than a buffer for each piece. */
  bytes(piece: Buffer): void {
    if (piece.length <= largestText) {
      this.#text += piece.toString('latin1')
      return
    }
    if (this.#text !== '') this.#parts.push(this.#text)
    this.#parts.push(piece)
    this.#text = ''
  }

  add(piece: Bytes): void {
    if (typeof piece === 'string') this.text(piece)
    else this.bytes(piece)
  }
}

const largestText = 4_096
