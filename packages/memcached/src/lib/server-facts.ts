import { type ServerFacts, WireError } from './wire.js'

export type Stats = ReadonlyMap<string, string>

/**
 * What `version`, `stats` and `stats settings` say of a server.
 *
 * @throws {WireError} when the server cannot do what sessions need.
 */
export function serverFacts(version: string, general: Stats, settings: Stats): ServerFacts {
  if (settings.get('cas_enabled') === 'no') {
    throw new WireError('gives items no version (memcached -C), so that no write could be conditional: start it without -C')
  }
  refuseTinyChunks(settings)
  return {
    version,
    itemSizeMax: wholeNumber(settings, 'item_size_max'),
    time: timeOf(general),
    evicts: settings.get('evictions') !== 'off',
  }
}

/** The server's clock, as `stats` tells it. @throws {WireError} when it does not. */
export function timeOf(general: Stats): number {
  return wholeNumber(general, 'time')
}

/**
 * memcached 1.6.18 takes `-o slab_chunk_max` in bytes, though its help says kilobytes, and crashes when it stores an item whose key and
 * header do not fit into one chunk.
 */
function refuseTinyChunks(settings: Stats): void {
  const bytes = Number(settings.get('slab_chunk_max') ?? smallestChunk)
  if (bytes >= smallestChunk) return
  throw new WireError(
    `would crash when it stores an item: leave out -o slab_chunk_max, which this memcached takes as ${bytes} bytes`,
  )
}

const smallestChunk = 512

function wholeNumber(stats: Stats, name: string): number {
  const text = stats.get(name) ?? ''
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new WireError(`does not tell its ${name}, which memcached does: is a proxy in between? Connect to memcached itself`)
  }
  return Number(text)
}
