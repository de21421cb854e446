/**
 * Received bytes that are not yet a whole reply. They are kept as the chunks that came and joined once, when enough are there, so that
 * a large value in small segments costs one copy and not one for each segment.
 */
export class Inbox {
  #chunks: Buffer[] = []
  #size = 0
  #needed = 0

  get size(): number {
    return this.#size
  }

  /** Takes a chunk and gives all that is there in one piece, or nothing as long as less than what is needed is there. */
  add(chunk: Buffer): Buffer | undefined {
    if (this.#size === 0) return chunk
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#size < this.#needed) return undefined
    const joined = Buffer.concat(this.#chunks, this.#size)
    this.clear()
    return joined
  }

  /** Keeps the beginning of a reply of which at least `needed` bytes must be there before it is worth another look. */
  keep(rest: Buffer, needed: number): void {
    this.#chunks = [rest]
    this.#size = rest.length
    this.#needed = needed
  }

  clear(): void {
    this.#chunks = []
    this.#size = 0
  }
}
