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
  return {
    version,
    itemSizeMax: wholeNumber(settings, 'item_size_max'),
    time: wholeNumber(general, 'time'),
  }
}

function wholeNumber(stats: Stats, name: string): number {
  const text = stats.get(name) ?? ''
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new WireError(`does not tell its ${name}, which memcached does: is a proxy in between? Connect to memcached itself`)
  }
  return Number(text)
}
