/** Bytes to send; a string stands for one byte a character (Latin-1). */
export type Bytes = Buffer | string

/** What is to leave a connection together. Pieces are put to it one by one: the one string that they make is joined only when it leaves. */
export class Outbox {
  readonly #parts: Bytes[] = []
  #text = ''

  /** As few parts as can be: text that belongs together is one. */
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
