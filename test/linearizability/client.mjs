// A web server with its visitors: it uses the sessions that it is told of, and notes every call in a journal. See clients.ts.
import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, isFieldwiseError } from 'fieldwise'
import { z } from 'zod'

/**
 * @typedef {import('./history.ts').Call} Call
 * @typedef {import('./history.ts').Kind} Kind
 * @typedef {import('./clients.ts').Task} Task
 * @typedef {import('./clients.ts').Known} Known
 * @typedef {import('./clients.ts').Order} Order
 * @typedef {import('./clients.ts').News} News
 * @typedef {ReturnType<typeof connect>} Sessions
 * @typedef {ReturnType<Sessions['resume']>} Session
 * @typedef {'a' | 'b' | 'c'} List
 * @typedef {Partial<Pick<Call, 'outcome' | 'gone' | 'value' | 'session' | 'issued'>>} End what a call came to; `ok` unless it says else
 * @typedef {object} Request what one request has in hand
 * @property {Session} session
 * @property {Known} known
 * @property {number | undefined} shown when its token was shown; undefined for a session that was kept open
 * @property {boolean} isPreloaded whether a field was read when it was opened, for the first who asks
 */

/** @type {readonly List[]} */
const lists = ['a', 'b', 'c']
const list = z.array(z.string())
const schema = z.object({ a: list, b: list, c: list, visits: z.int().default(0) })

/** How often each kind of call is made. */
const kinds = { get: 30, getAll: 8, has: 5, set: 14, update: 40, increment: 20, take: 8, delete: 6, regenerate: 2 }
/** Sessions of the first slot are never ended on purpose, so that some live through all that happens. */
const endings = { destroy: 2, revoke: 1 }

/** After how many acknowledged calls it tells of them. */
const progressStep = 20

/** @type {End} */
const absent = { outcome: 'failed', gone: 'absent' }

class Client {
  #task
  #sessions
  #journal
  #draws = 0
  #calls = 0
  #acknowledged = 0
  #isStopping = false
  /** What was asked for besides requests. @type {Promise<void>[]} */
  #creations = []
  /** The sessions in use, by slot. @type {(Known | undefined)[]} */
  #slots = []
  /** Tokens that were good once. @type {Known[]} */
  #old = []
  /** Sessions that stay open from one request to the next, by their ids. @type {Map<string, Request>} */
  #kept = new Map()

  /** @param {Task} task */
  constructor(task) {
    this.#task = task
    this.#journal = openSync(task.journal, 'a')
    this.#sessions = connect(task)
  }

  async run() {
    const { abreast, look } = this.#task
    await (look ? this.#lookAt(look) : Promise.all(Array.from({ length: abreast }, () => this.#browse())))
    await Promise.all(this.#creations)
    await this.#sessions.close()
    closeSync(this.#journal)
  }

  /** @param {Order} order */
  obey(order) {
    if (order.kind === 'stop') this.#isStopping = true
    if (order.kind === 'create') this.#creations.push(this.#create(order.slot))
    if (order.kind === 'use') this.#use(order.slot, order.known)
  }

  /** @param {string} surprise */
  surprise(surprise) {
    this.#write({ surprise: `${this.#task.name}: ${surprise}` })
  }

  async #browse() {
    while (!this.#isStopping) {
      const slot = this.#below(this.#task.slots)
      const known = this.#below(10) === 0 ? this.#pick(this.#old) : this.#slots[slot]
      if (known) await this.#visit(slot, known)
      await sleep(this.#below(12))
    }
  }

  /**
   * Whether each of these sessions is there, and what it holds, when all is quiet.
   *
   * @param {readonly Known[]} sessions
   */
  async #lookAt(sessions) {
    for (const known of sessions) {
      const request = await this.#open(known)
      if (request) await this.#call('getAll', 'a', request)
    }
  }

  /**
   * @param {number} slot
   * @param {Known | undefined} known
   */
  #use(slot, known) {
    const before = this.#slots[slot]
    if (before) this.#old = [...this.#old.slice(-9), before]
    this.#slots[slot] = known
  }

  /** @param {number} slot */
  async #create(slot) {
    /** @type {Known | undefined} */
    let known
    await this.#record('create', { session: '' }, async (id) => {
      const value = this.#below(2) === 0 ? { a: [`${id}.1`], visits: 7 } : { b: [`${id}.1`] }
      const session = await this.#sessions.create(value)
      known = { sid: String(session.id), token: String(session.token) }
      return { session: known.sid, value, issued: markOf(known.token) }
    })
    tell({ kind: 'created', slot, known })
  }

  /**
   * One request: some calls on one session, one after the other or all at once.
   *
   * @param {number} slot
   * @param {Known} known
   */
  async #visit(slot, known) {
    const request = await this.#enter(known)
    if (request === undefined) return tell({ kind: 'gone', slot, known })
    const calls = Array.from({ length: 1 + this.#below(3) }, () => this.#weighted(slot === 0 ? kinds : { ...kinds, ...endings }))
    const ends = this.#below(2) === 0 ? await this.#allAtOnce(calls, request) : await this.#inTurn(calls, request)
    const newest = newestOf(request)
    if (newest.token !== known.token) tell({ kind: 'renewed', slot, known: newest })
    if (!ends.some(isOver)) return
    this.#kept.delete(known.sid)
    tell({ kind: 'gone', slot, known: newest })
  }

  /**
   * By a session that was kept open, by its token without a look, or by opening it first. Undefined where there is none.
   *
   * @param {Known} known
   * @returns {Promise<Request | undefined>}
   */
  async #enter(known) {
    const kept = this.#kept.get(known.sid)
    if (kept && this.#below(3) === 0) return kept
    if (this.#below(3) > 0) {
      return { session: this.#sessions.resume(known.token), known, shown: moment(), isPreloaded: false }
    }
    const request = await this.#open(known)
    if (request && !request.isPreloaded && this.#below(2) === 0) this.#kept.set(known.sid, { ...request, shown: undefined })
    return request
  }

  /**
   * @param {Known} known
   * @returns {Promise<Request | undefined>}
   */
  async #open(known) {
    const shown = moment()
    const isPreloaded = this.#below(3) === 0
    /** @type {Request | undefined} */
    let request
    await this.#record('open', { session: known.sid, token: markOf(known.token), shown }, async () => {
      const session = await this.#sessions.open(known.token, isPreloaded ? { preload: ['a'] } : {})
      if (session?.id !== known.sid) return absent
      request = { session, known, shown, isPreloaded }
      return {}
    })
    return request
  }

  /**
   * @param {readonly Kind[]} calls
   * @param {Request} request
   */
  #allAtOnce(calls, request) {
    return Promise.all(calls.map((kind) => this.#call(kind, this.#pick(lists), request)))
  }

  /**
   * @param {readonly Kind[]} calls
   * @param {Request} request
   */
  async #inTurn(calls, request) {
    const ends = []
    for (const kind of calls) ends.push(await this.#call(kind, this.#pick(lists), request))
    return ends
  }

  /**
   * @param {Kind} kind
   * @param {List} field of calls on one of the lists
   * @param {Request} request
   * @returns {Promise<End & { kind: Kind }>}
   */
  async #call(kind, field, request) {
    const { session, known, shown, isPreloaded } = request
    const number = kind === 'increment' || (kind === 'get' && this.#below(4) === 0)
    const isWhole = ['getAll', 'regenerate', 'destroy', 'revoke'].includes(kind)
    const by = kind === 'increment' ? 1 + this.#below(2 ** 31) : undefined
    // What ends a session by its id needs no token.
    const token = kind === 'revoke' ? undefined : newestOf(request).token
    const begun = { session: known.sid, field: isWhole ? undefined : number ? 'visits' : field, token: markOf(token), shown, by }
    // What was preloaded may have been read as early as that.
    const began = isPreloaded && ['get', 'getAll', 'has'].includes(kind) ? shown : undefined
    const end = await this.#record(kind, { ...begun, ...(began && { began }) }, async (id) => {
      const end = await this.#perform(kind, { id, session, known, field, by, number })
      // A token that opens nothing makes a new session, or none.
      return kind === 'revoke' || session.id === known.sid ? end : absent
    })
    return { ...end, kind }
  }

  /**
   * @param {Kind} kind
   * @param {{ id: string, session: Session, known: Known, field: List, by: number | undefined, number: boolean }} what
   * @returns {Promise<End>}
   */
  async #perform(kind, { id, session, known, field, by, number }) {
    let run = 0
    const tag = () => `${id}.${++run}`
    switch (kind) {
      case 'get':
        return { value: number ? await session.get('visits') : await session.get(field) }
      case 'getAll':
        return { value: await session.getAll() }
      case 'has':
        return { value: await session.has(field) }
      case 'set': {
        const value = [tag()]
        await session.set(field, value)
        return { value }
      }
      case 'update':
        return { value: await session.update(field, (before) => [...(before ?? []), tag()]) }
      case 'increment':
        return { value: await session.increment('visits', by) }
      case 'take':
        return { value: await session.take(field) }
      case 'delete':
        await session.delete(field)
        return {}
      case 'regenerate':
        await session.regenerate()
        return { issued: markOf(session.token) }
      case 'destroy':
        await session.destroy()
        return {}
      case 'revoke':
        await this.#sessions.revoke(known.sid)
        return {}
      default:
        throw new Error(`'${kind}' is not a call on a session`)
    }
  }

  /**
   * @param {Kind} kind
   * @param {Partial<Call>} begun
   * @param {(id: string) => Promise<End>} call
   * @returns {Promise<End>}
   */
  async #record(kind, begun, call) {
    const id = `${this.#task.name}-${++this.#calls}`
    this.#write({ id, kind, ...begun, began: begun.began ?? moment() })
    const end = await call(id).catch((error) => this.#failure(kind, error))
    const whole = { outcome: /** @type {Call['outcome']} */ ('ok'), ...end }
    this.#write({ id, ended: moment(), ...whole })
    if (whole.outcome === 'ok') this.#noteAcknowledged()
    // A server that is known to be down fails calls without any waiting.
    else await sleep(20)
    return end
  }

  /**
   * @param {Kind} kind
   * @param {unknown} error
   * @returns {End}
   */
  #failure(kind, error) {
    // What writes may have been stored before the session ended.
    const isWrite = ['set', 'update', 'increment', 'take', 'delete', 'regenerate'].includes(kind)
    if (isFieldwiseError(error, 'SESSION_GONE')) return { outcome: isWrite ? 'unknown' : 'failed', gone: error.reason }
    if (isFieldwiseError(error, 'UPDATE_CONFLICT') || isFieldwiseError(error, 'STORE_UNAVAILABLE')) return { outcome: 'failed' }
    if (!isFieldwiseError(error, 'OUTCOME_UNKNOWN'))
      this.surprise(`${kind} threw ${error instanceof Error ? error.stack : error}`)
    return { outcome: 'unknown' }
  }

  #noteAcknowledged() {
    if (++this.#acknowledged % progressStep === 0) tell({ kind: 'progress', calls: progressStep })
  }

  /** At once, so that it is known even of a process that is killed. @param {object} line */
  #write(line) {
    writeSync(this.#journal, `${JSON.stringify(line)}\n`)
  }

  /** @param {number} end */
  #below(end) {
    const bytes = createHash('sha256')
      .update(`${this.#task.seed} ${this.#draws++}`)
      .digest()
    return Number((bytes.readBigUInt64LE() * BigInt(end)) >> 64n)
  }

  /**
   * @template T
   * @param {readonly T[]} choices
   */
  #pick(choices) {
    return /** @type {T} */ (choices[this.#below(choices.length)])
  }

  /** @param {Partial<Record<Kind, number>>} weights */
  #weighted(weights) {
    const choices = /** @type {[Kind, number][]} */ (Object.entries(weights))
    return this.#pick(choices.flatMap(([kind, weight]) => Array.from({ length: weight }, () => kind)))
  }
}

/** @param {Task} task */
function connect({ servers, protocol, timeout, isForgetful }) {
  const store = memcachedStore(servers, { protocol, timeout, connectTimeout: '2s', retryInterval: '50ms' })
  return createSessions({ schema, store: isForgetful ? forgetful(store) : store })
}

/**
 * A store that drops versions: what should replace the one value that was read replaces whatever is there.
 *
 * @param {import('fieldwise/store-contract').Store} store
 * @returns {import('fieldwise/store-contract').Store}
 */
function forgetful(store) {
  /** @type {import('fieldwise/store-contract').Store['flight']} */
  const flight = (sid, requests, deadline) => store.flight(sid, requests.map(withoutVersion), deadline)
  return new Proxy(store, {
    get: (_store, name) => {
      if (name === 'flight') return flight
      const property = Reflect.get(store, name)
      return typeof property === 'function' ? property.bind(store) : property
    },
  })
}

/** @param {import('fieldwise/store-contract').StoreRequest} request */
function withoutVersion(request) {
  if (request.op !== 'replace') return request
  const { op, key, value, ttl } = request
  return { op, key, value, ttl }
}

/** @param {End & { kind: Kind }} end */
function isOver({ kind, outcome, gone }) {
  return gone !== undefined || (outcome !== 'failed' && (kind === 'destroy' || kind === 'revoke'))
}

/**
 * The session that was meant, with the token that this request has for it by now. One whose token opened nothing may have begun another.
 *
 * @param {Request} request
 * @returns {Known}
 */
function newestOf({ session, known }) {
  return session.id === known.sid && session.token !== undefined ? { sid: known.sid, token: session.token } : known
}

/** Tells tokens apart without keeping them. @param {string | undefined} token */
function markOf(token) {
  return token && createHash('sha256').update(token).digest('hex').slice(0, 12)
}

/** A clock that all processes of this machine share, in milliseconds. */
function moment() {
  return Number(process.hrtime.bigint()) / 1e6
}

/** @param {News} news */
function tell(news) {
  if (process.connected) process.send?.(news)
}

/** What is being done now; one thing at a time. @type {Client | undefined} */
let client

process.on('message', async (message) => {
  const order = /** @type {Order} */ (message)
  if (order.kind !== 'work') return client?.obey(order)
  client = new Client(order.task)
  await client.run()
  client = undefined
  tell({ kind: 'done' })
})
process.on('disconnect', () => process.exit())
process.on('unhandledRejection', (error) => {
  if (client === undefined) throw error
  client.surprise(`nobody handled ${error instanceof Error ? error.stack : error}`)
})
tell({ kind: 'ready' })
