import type { StoreRequest, Version } from '../api/store.js'
import { decodeHeader, type Header, headerName } from '../format/header.js'
import type { Context } from './context.js'
import { Generations } from './generations.js'

/** A header as it was read last, and what follows from it. */
export interface SeenHeader {
  readonly bytes: Buffer
  readonly header: Header
  /** Where the store can tell by it whether the header is still the same. */
  readonly version: Version | undefined
  /** Asks for the header the next time. */
  readonly request: StoreRequest
  /** The requests for the first few fields that were asked for: a key that is used again is joined and hashed only once. */
  readonly asked: Map<string, StoreRequest>
  readonly weight: number
}

/** How many requests for fields are kept with a header. */
export const mostAsked = 4

/** Remembers the headers that were read last, so that each version of one is sent, opened and taken apart once. */
export class SeenHeaders {
  readonly #context: Context
  readonly #known = new Generations<SeenHeader>(mostRemembered)

  constructor(context: Context) {
    this.#context = context
  }

  /** What was read last. It may have changed since. */
  find(sid: string): SeenHeader | undefined {
    return this.#known.find(sid)
  }

  learn(sid: string, bytes: Buffer, version: Version): Header {
    const before = this.find(sid)
    const isSame = before?.bytes.equals(bytes) === true
    const keepsVersion = this.#context.store.traits.comparesVersions
    if (isSame && !keepsVersion) return before.header
    // A copy of its own: the bytes are a part of what came from the network together, and a small `Buffer.from` is a part of a pool.
    const own = isSame ? before.bytes : ownCopy(bytes)
    const header = isSame ? before.header : decodeHeader(this.#context.sealer.unseal(sid, headerName, own))
    const known = keepsVersion ? version : undefined
    const request: StoreRequest = { op: 'get', key: this.#context.keys.header(sid), known }
    const asked = before?.asked ?? new Map()
    this.#known.remember(sid, { bytes: own, header, version: known, request, asked, weight: weightOf(own, header) })
    return header
  }

  forget(sid: string): void {
    this.#known.forget(sid)
  }
}

/** In bytes; a header of a few fields takes some 2 KB, one of 999 fields up to 150 KB. */
const mostRemembered = 8 * 1024 * 1024

function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

/** What V8 keeps of one header and of each field that it lists, measured and rounded up. */
function weightOf(bytes: Buffer, { manifest }: Header): number {
  return 2_000 + bytes.length + manifest.size * 130
}
