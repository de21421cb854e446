/** Saves under way that may begin a session, by its id: whoever ends that session, or hands in another one, has to wait. */
export class NewIds {
  readonly #underWay = new Map<string, Promise<unknown>>()

  add(id: string, beginning: Promise<unknown>): void {
    const ended = beginning
      .catch(() => {})
      .then(() => {
        if (this.#underWay.get(id) === ended) this.#underWay.delete(id)
      })
    this.#underWay.set(id, ended)
  }

  /** Resolves when the one that is under way has come to its end, well or not. */
  async settled(id: string): Promise<void> {
    await this.#underWay.get(id)
  }
}
