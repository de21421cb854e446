/**
 * Received bytes that are not yet a whole reply. They are kept in the chunks in which they came and joined once, when there are enough: a
 * large value that arrives in small segments is copied once, and not once for each segment.
 */
export class Inbox {
  #chunks: Buffer[] = []
  #size = 0
  #needed = 0

  get size(): number {
    return this.#size
  }

  /** Adds a chunk. Returns all bytes so far in one piece, or undefined while there are fewer than needed. */
  add(chunk: Buffer): Buffer | undefined {
    if (this.#size === 0) return chunk
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#size < this.#needed) return undefined
    const joined = Buffer.concat(this.#chunks, this.#size)
    this.clear()
    return joined
  }

  /** Keeps the beginning of a reply, until there are at least `needed` bytes of it. */
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
