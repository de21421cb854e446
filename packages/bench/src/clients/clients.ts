import type { Addresses } from '../lib/addresses.js'
import { openFieldwise } from './fieldwise.js'
import { openIoredis } from './ioredis.js'
import { openMemcacheClient } from './memcache-client.js'
import { openMemcached } from './memcached.js'
import { openMemjs } from './memjs.js'
import { openNodeRedis } from './node-redis.js'
import { openRawMeta } from './raw-meta.js'

/** All candidates, in the order in which they are shown. */
export const clients = {
  'raw socket (meta)': openRawMeta,
  memjs: openMemjs,
  memcached: openMemcached,
  'memcache-client': openMemcacheClient,
  ioredis: (addresses: Addresses) => openIoredis(addresses, false),
  'ioredis, autopipelining': (addresses: Addresses) => openIoredis(addresses, true),
  redis: openNodeRedis,
  'Fieldwise binary': (addresses: Addresses) => openFieldwise(addresses, 'binary', 'opened'),
  'Fieldwise meta': (addresses: Addresses) => openFieldwise(addresses, 'meta', 'opened'),
  'Fieldwise binary, each a new request': (addresses: Addresses) => openFieldwise(addresses, 'binary', 'resumed'),
  'Fieldwise meta, each a new request': (addresses: Addresses) => openFieldwise(addresses, 'meta', 'resumed'),
}

export type ClientName = keyof typeof clients
