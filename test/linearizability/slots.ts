import type { ClientProcess, Known, SlotNews } from './clients.js'

/** The sessions that all clients use, some at a time: when one is over, a client is asked for another. */
export class Slots {
  /** Every session that ever was, with its newest token. */
  readonly tokens = new Map<string, Known>()
  readonly #clients: ReadonlySet<ClientProcess>
  readonly #slots: Slot[]
  #fulfil = () => {}
  /** Resolves when there has been a session in each. */
  readonly used = new Promise<void>((resolve) => {
    this.#fulfil = resolve
  })

  constructor(count: number, clients: ReadonlySet<ClientProcess>) {
    this.#clients = clients
    this.#slots = Array.from({ length: count }, () => ({
      known: undefined,
      isUsed: false,
      askedAt: Number.NEGATIVE_INFINITY,
      asked: 0,
    }))
  }

  hear(news: SlotNews): void {
    const slot = this.#slots[news.slot] as Slot
    if (news.kind === 'created' && news.known) this.#use(news.slot, news.known)
    // News of a session or of a token that was replaced meanwhile change nothing.
    else if (news.kind === 'renewed' && slot.known?.sid === news.known.sid) this.#use(news.slot, news.known)
    else if (news.kind === 'renewed') this.tokens.set(news.known.sid, news.known)
    else if (news.kind === 'gone' && isSame(slot.known, news.known)) this.#use(news.slot, undefined)
  }

  /** Tells a client that has just come what there is. */
  welcome(client: ClientProcess): void {
    for (const [slot, { known }] of this.#slots.entries()) client.order({ kind: 'use', slot, known })
  }

  /** Asks for what is missing. Called again and again: whoever was asked may be stopped, or killed, or have failed. */
  fill(): void {
    for (const [index, slot] of this.#slots.entries()) {
      if (slot.known !== undefined || performance.now() < slot.askedAt + patience) continue
      const clients = [...this.#clients]
      clients[(index + slot.asked++) % clients.length]?.order({ kind: 'create', slot: index })
      slot.askedAt = performance.now()
    }
  }

  #use(index: number, known: Known | undefined): void {
    const slot = this.#slots[index] as Slot
    slot.known = known
    slot.askedAt = Number.NEGATIVE_INFINITY
    if (known) this.tokens.set(known.sid, known)
    for (const client of this.#clients) client.order({ kind: 'use', slot: index, known })
    slot.isUsed ||= known !== undefined
    if (this.#slots.every(({ isUsed }) => isUsed)) this.#fulfil()
  }
}

interface Slot {
  known: Known | undefined
  isUsed: boolean
  askedAt: number
  asked: number
}

/** How long a client is waited for before another one is asked, in milliseconds. */
const patience = 300

function isSame(one: Known | undefined, other: Known): boolean {
  return one?.sid === other.sid && one.token === other.token
}
