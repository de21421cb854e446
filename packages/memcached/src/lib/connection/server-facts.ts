import { ProtocolError, type ServerFacts } from './protocol.js'

export type Stats = ReadonlyMap<string, string>

/**
 * What `version`, `stats` and `stats settings` say of a server.
 *
 * @throws {ProtocolError} when the server cannot do what sessions need.
 */
export function serverFacts(version: string, general: Stats, settings: Stats): ServerFacts {
  refuseProxy(general, settings)
  if (settings.get('cas_enabled') === 'no') {
    throw new ProtocolError('gives items no version (memcached -C), so that no write could be conditional: start it without -C')
  }
  refuseTinyChunks(settings)
  return {
    version,
    itemSizeMax: wholeNumber(settings, 'settings', 'item_size_max', largestItem),
    time: timeOf(general),
    evicts: settings.get('evictions') !== 'off',
  }
}

/** The server's clock, as `stats` tells it. @throws {ProtocolError} when it does not. */
export function timeOf(general: Stats): number {
  return wholeNumber(general, '', 'time', latestTime)
}

/** memcached -I takes no more. */
const largestItem = 2 ** 30
/** In the year 2106, long after the last time by which memcached can let an item end. */
const latestTime = 2 ** 32 - 1

/** It keeps no order between the keys of different servers behind it, and hides that one of them was restarted. */
function refuseProxy(general: Stats, settings: Stats): void {
  const isProxy = settings.get('proxy_enabled') === 'yes' || [...general.keys()].some((name) => name.startsWith('proxy_'))
  if (!isProxy) return
  throw new ProtocolError(
    'is memcached as a proxy, behind which versions and the order of commands do not hold: connect to the servers behind it',
  )
}

/**
 * memcached 1.6.18 takes `-o slab_chunk_max` in bytes, though its help says kilobytes, and crashes when it stores an item whose key and
 * header do not fit into one chunk.
 */
function refuseTinyChunks(settings: Stats): void {
  const bytes = Number(settings.get('slab_chunk_max') ?? smallestChunk)
  if (bytes >= smallestChunk) return
  throw new ProtocolError(
    `would crash when it stores an item: leave out -o slab_chunk_max, which this memcached takes as ${bytes} bytes`,
  )
}

const smallestChunk = 512

function wholeNumber(stats: Stats, group: string, name: string, most: number): number {
  const text = stats.get(name) ?? ''
  const from = `\`${`stats ${group}`.trim()}\``
  if (!/^[1-9]\d*$/.test(text)) {
    throw new ProtocolError(
      `does not tell its ${name} in ${from}, which memcached does: is a proxy in between? Connect to memcached itself`,
    )
  }
  if (Number(text) > most) throw new ProtocolError(`tells a ${name} in ${from} that no memcached has: is it one?`)
  return Number(text)
}
