import type { CompareRequest, GetRequest, Version } from '../api/store.js'
import { type BoundUser, decodeHeader, type Header, headerName, sameUser } from '../format/header.js'
import type { Context } from './context.js'
import { Generations } from './generations.js'
import { headerLife } from './lifetime.js'
import { copyOfBytes } from './snapshot.js'

/** What this process remembers of a session. All of it may be out of date. */
export interface KnownSession {
  /** The header as it was read last. */
  readonly seen: SeenHeader | undefined
  /** Whose session it is, as a header has said (U5). */
  readonly bound: KnownUser | undefined
  /** The requests for the first few fields that were asked for: a key that is used again is joined and hashed only once. */
  readonly fieldRequests: Map<string, GetRequest>
  /** Until when the header lives at least, as this process has stored or touched it: for stores that do not report that. */
  readonly life: NotedLife | undefined
  readonly weight: number
}

interface SeenHeader {
  readonly bytes: Buffer
  readonly header: Header
  /** Where the store can tell by it whether the header is still the same. */
  readonly version: Version | undefined
  /** Asks for the header the next time. */
  readonly request: ItemRequest
}

export interface KnownUser extends BoundUser {
  /** Asks for the list of the user's sessions. */
  readonly request: ItemRequest
}

interface NotedLife {
  /** The server's time from which on it lives. */
  readonly from: number
  readonly ttl: number
}

/** Asks for a header or a list: whether it is the one that is known, where the store can tell. */
export type ItemRequest = GetRequest | CompareRequest

/** What this process remembers of the sessions that it used last, in one table that is bounded in bytes. A remembered header counts only once the store has confirmed it. */
export class KnownSessions {
  readonly #context: Context
  readonly #known = new Generations<KnownSession>(mostRemembered)

  constructor(context: Context) {
    this.#context = context
  }

  find(sid: string): KnownSession | undefined {
    return this.#known.find(sid)
  }

  /** Gives the header that these bytes are. Each version of one is unsealed and taken apart once. @throws {SealBrokenError} */
  learn(sid: string, bytes: Buffer, version: Version): Header {
    const before = this.find(sid)
    const same = before?.seen?.bytes.equals(bytes) === true ? before.seen : undefined
    const { comparesVersions } = this.#context.store.traits
    if (same && !comparesVersions) return same.header
    // A copy, since `bytes` is a slice of what came from the network and would keep all of it in memory.
    const own = same?.bytes ?? copyOfBytes(bytes)
    const header = same?.header ?? decodeHeader(this.#context.sealer.unseal(sid, headerName, own))
    const known = comparesVersions ? version : undefined
    const request = asking(this.#context.keys.header(sid), known)
    const seen = { bytes: own, header, version: known, request }
    this.#remember(sid, { ...before, seen, bound: this.#userIn(header, before?.bound) })
    return header
  }

  /** The list of its user's sessions holds the binding in the header that is known: while it is this version, it need not travel. */
  learnListed(sid: string, version: Version): void {
    const before = this.find(sid)
    if (!this.#context.store.traits.comparesVersions || before?.bound === undefined) return
    this.#remember(sid, { ...before, bound: { ...before.bound, request: asking(before.bound.request.key, version) } })
  }

  /** The same session with nothing asked by its version. */
  inFull(known: KnownSession | undefined): KnownSession | undefined {
    const bound = known?.bound && { ...known.bound, request: asking(known.bound.request.key, undefined) }
    return known && { ...known, seen: undefined, bound }
  }

  /** This process has changed the header: its next read begins anew. */
  forgetHeader(sid: string): void {
    const before = this.find(sid)
    if (before === undefined) return
    if (before.life === undefined && before.bound === undefined) this.#known.forget(sid)
    else this.#remember(sid, { ...before, seen: undefined })
  }

  /** This process has stored or touched the header with its full time to live, at `from` on the server's clock. */
  noteLife(sid: string, header: Header, from: number): void {
    if (this.#context.store.traits.reportsTtl) return
    const before = this.find(sid)
    this.#remember(sid, { ...before, life: { from, ttl: headerLife(header, from) } })
  }

  /** Until when the header lives at least, on the server's clock. Another process may have given it a shorter life since that was noted. */
  livesUntil(sid: string, header: Header): number {
    const life = this.find(sid)?.life
    return life ? life.from + Math.min(life.ttl, headerLife(header, life.from)) : 0
  }

  /** A header that is known need not travel: what a call costs depends on what it uses, and not on how much the session holds. */
  headerRequest(sid: string, known: KnownSession | undefined): ItemRequest {
    return known?.seen?.request ?? asking(this.#context.keys.header(sid), undefined)
  }

  /** For a session that is known the same request each time, with a key that V8 has joined and hashed already. */
  fieldRequest(sid: string, field: string, known = this.find(sid)): GetRequest {
    const asked = known?.fieldRequests.get(field)
    if (asked !== undefined) return asked
    const request: GetRequest = { op: 'get', key: this.#context.keys.field(sid, field) }
    if (known !== undefined && known.fieldRequests.size < mostRequests) known.fieldRequests.set(field, request)
    return request
  }

  #userIn({ user }: Header, before: KnownUser | undefined): KnownUser | undefined {
    if (user === undefined || (before && sameUser(before, user))) return user && before
    const request = asking(this.#context.keys.userList(user.list), undefined)
    return { list: user.list, binding: copyOfBytes(user.binding), request }
  }

  #remember(sid: string, { seen, bound, life, fieldRequests = new Map() }: Partial<KnownSession>): void {
    this.#known.remember(sid, { seen, bound, fieldRequests, life, weight: weightOf(seen) })
  }
}

function asking(key: string, knownVersion: Version | undefined): ItemRequest {
  return knownVersion === undefined ? { op: 'get', key } : { op: 'compare', key, knownVersion }
}

/** In bytes; a header of a few fields takes some 2 KB, one of 999 fields up to 150 KB. */
const mostRemembered = 16 * 1024 * 1024

/** How many requests for fields are kept with a session. */
const mostRequests = 4

/** What V8 keeps of one session, of its header and of each field that it lists, measured and rounded up. */
function weightOf(seen: SeenHeader | undefined): number {
  return seen ? 2_200 + seen.bytes.length + seen.header.manifest.size * 135 : 1_000
}
