/**
 * One side of the race: two servers that are sent the same requests by one visitor.
 * `sent`, `acknowledged` and `kept` are real at every moment: counted here, or read back from the store.
 */
export class Lane {
  total = 0
  sent = 0
  /** Answered with 2xx: the server said that it was done. */
  acknowledged = 0
  /** What the store holds, as last read. */
  kept = 0
  /** Seconds from the first request to the last answer. */
  seconds = 0
  /** Where the race has been: how many were kept when how many had been sent. @type {{ sent: number, kept: number }[]} */
  course = []

  /** @param {string} name @param {readonly string[]} servers */
  constructor(name, servers) {
    this.name = name
    this.servers = servers
  }

  get lost() {
    return this.acknowledged - this.kept
  }

  /** Sends `total` requests, half of them to each server, and watches what the store keeps. @param {number} total */
  async run(total) {
    Object.assign(this, { total, sent: 0, acknowledged: 0, kept: 0, seconds: 0, course: [{ sent: 0, kept: 0 }] })
    const before = await visits('POST', this.#server(0))
    const started = performance.now()
    const finished = Promise.all(this.servers.map((server) => this.#fire(server, total / this.servers.length)))
    await this.#watch(before, finished)
    this.seconds = (performance.now() - started) / 1_000
    await this.#look(before, 0)
  }

  /** Browsers open six connections to a server: five for requests, one to watch. @param {string} server @param {number} requests */
  async #fire(server, requests) {
    let left = requests
    const loop = async () => {
      while (left-- > 0) await this.#send(server)
    }
    await Promise.all(Array.from({ length: 5 }, loop))
  }

  /** @param {string} server */
  async #send(server) {
    this.sent++
    const answer = await visits('POST', server).catch(() => undefined)
    if (answer !== undefined) this.acknowledged++
  }

  /** Reads what is kept again and again, from either server in turn. @param {number} before @param {Promise<unknown>} finished */
  async #watch(before, finished) {
    let racing = true
    finished.finally(() => {
      racing = false
    })
    for (let turn = 0; racing; turn++) {
      await this.#look(before, turn)
      await Promise.race([finished, new Promise((resolve) => setTimeout(resolve, 40))])
    }
  }

  /** @param {number} before @param {number} turn */
  async #look(before, turn) {
    this.kept = (await visits('GET', this.#server(turn))) - before
    this.course.push({ sent: this.sent, kept: this.kept })
  }

  /** @param {number} turn */
  #server(turn) {
    return /** @type {string} */ (this.servers[turn % this.servers.length])
  }
}

/** `POST` counts one visit more, `GET` only reads. @param {'GET' | 'POST'} method @param {string} server @returns {Promise<number>} */
async function visits(method, server) {
  const answer = await fetch(`${server}/visits`, { method, credentials: 'include' })
  if (!answer.ok) throw new Error(`${server} answered ${answer.status}`)
  return (await answer.json()).visits
}
