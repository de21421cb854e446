/**
 * The value of a field whose history is to be checked: how many writes made it, and the tags of the last of them, newest last. A tag
 * names a call and the run of its update function: `p1-17#2`.
 */
export interface Versioned {
  readonly version: number
  readonly recent: readonly string[]
}

/** What became of a call, as in Jepsen: `ok` took effect, `failed` never does, `unknown` may have or may still. */
type Outcome = 'ok' | 'failed' | 'unknown'

/** One call on the field. */
export interface Call {
  readonly id: string
  readonly kind: 'update' | 'get'
  /** When it began and ended, on a clock that all processes share. */
  readonly began: number
  readonly ended: number
  readonly outcome: Outcome
  /** Names the combined write that carried an update, among those of its process. */
  readonly write?: number | undefined
  /** What it resolved with. */
  readonly value?: Versioned | undefined
}

export const nothingWritten: Versioned = { version: 0, recent: [] }

/** What an update makes of the value that it finds. */
export function written({ version, recent }: Versioned, tag: string): Versioned {
  return { version: version + 1, recent: [...recent, tag].slice(-remembered) }
}

/** So many calls of unknown outcome in a row could not be told apart. */
export const remembered = 16

/**
 * Whether a history is that of a field on which each acknowledged update took effect exactly once and in order, a failed one never, one of
 * unknown outcome at most once, and no read was stale. `end` is the value when all was quiet. Linear in the number of calls: versions are
 * whole numbers, so nothing needs to be sorted, and every value says by itself where it belongs.
 */
export function checkHistory(calls: readonly Call[], end: Versioned): string[] {
  const found: string[] = []
  const chain = collectChain(calls, end, found)
  checkWriters(calls, chain, end, found)
  checkResults(calls, chain, found)
  checkOrder(calls, chain, found)
  return found
}

/** The tag of the write that made each version, from what everybody saw. The tag of version 1 is at 1. */
function collectChain(calls: readonly Call[], end: Versioned, found: string[]): (string | undefined)[] {
  const chain: (string | undefined)[] = []
  for (const { value, id } of calls) if (value !== undefined) addSighting(chain, value, id, found)
  addSighting(chain, end, 'the end', found)
  return chain
}

function addSighting(chain: (string | undefined)[], { version, recent }: Versioned, who: string, found: string[]): void {
  if (recent.length !== Math.min(version, remembered)) found.push(`${who} saw version ${version} with ${recent.length} tags`)
  for (const [index, tag] of recent.entries()) {
    const position = version - recent.length + 1 + index
    const other = chain[position]
    if (other === undefined) chain[position] = tag
    else if (other !== tag) found.push(`lost update: ${who} saw version ${position} made by ${tag}, others by ${other}`)
  }
}

/** Each version was made by one call that may have taken effect, and no call made two. */
function checkWriters(calls: readonly Call[], chain: readonly (string | undefined)[], end: Versioned, found: string[]): void {
  const byId = new Map(calls.map((call) => [call.id, call]))
  const seen = new Set<string>()
  if (chain.length - 1 > end.version) found.push(`lost: version ${chain.length - 1} was there, and at the end ${end.version}`)
  for (let version = 1; version <= end.version; version++) {
    const tag = chain[version]
    if (tag === undefined) {
      found.push(`foreign value: nobody knows who made version ${version}`)
      continue
    }
    const writer = byId.get(idOf(tag))
    if (writer?.kind !== 'update') found.push(`foreign value: ${tag} made version ${version}`)
    if (writer?.outcome === 'failed') found.push(`failed, yet applied: ${tag} made version ${version}`)
    if (seen.has(idOf(tag))) found.push(`applied twice: ${tag} made version ${version} too`)
    seen.add(idOf(tag))
  }
  for (const { id, kind, outcome } of calls) {
    if (kind === 'update' && outcome === 'ok' && !seen.has(id)) found.push(`lost update: ${id} was acknowledged`)
  }
}

/** An update resolved with what it stored. */
function checkResults(calls: readonly Call[], chain: readonly (string | undefined)[], found: string[]): void {
  for (const { id, kind, outcome, value } of calls) {
    if (outcome !== 'ok') continue
    const tag = value?.recent.at(-1)
    if (value === undefined) found.push(`wrong result: ${id} saw nothing`)
    else if (kind === 'update' && (tag === undefined || idOf(tag) !== id || chain[value.version] !== tag)) {
      found.push(`wrong result: ${id} resolved with version ${value.version} by ${tag}`)
    }
  }
}

/** Nobody saw a version after somebody had seen a later one, or before it was asked for. */
function checkOrder(calls: readonly Call[], chain: readonly (string | undefined)[], found: string[]): void {
  const seers = callsByVersion(calls, chain.length)
  const writers = writersByVersion(calls, chain)
  let earliest = Number.POSITIVE_INFINITY
  for (let version = seers.length - 1; version >= 0; version--) {
    const here = seers[version] ?? []
    for (const { id, began } of here) {
      if (began > earliest) found.push(`stale: ${id} saw version ${version}, though a later one had been seen before it began`)
    }
    for (const { ended } of here) earliest = Math.min(earliest, ended)
    const writer = writers[version]
    if (writer && earliest < writer.began) found.push(`version ${version} was seen before ${writer.id} began to make it`)
  }
}

function callsByVersion(calls: readonly Call[], versions: number): Call[][] {
  const byVersion: Call[][] = Array.from({ length: versions }, () => [])
  for (const call of calls) if (call.outcome === 'ok' && call.value !== undefined) byVersion[call.value.version]?.push(call)
  return byVersion
}

function writersByVersion(calls: readonly Call[], chain: readonly (string | undefined)[]): (Call | undefined)[] {
  const byId = new Map(calls.map((call) => [call.id, call]))
  return chain.map((tag) => (tag === undefined ? undefined : byId.get(idOf(tag))))
}

function idOf(tag: string): string {
  return tag.slice(0, tag.lastIndexOf('#'))
}
