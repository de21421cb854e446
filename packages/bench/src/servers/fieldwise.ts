import { randomBytes } from 'node:crypto'
import { sessionOf } from '@fieldwise/http'
import { expressSession } from '@fieldwise/http/express'
import { createSessions, memoryStore } from 'fieldwise'
import type { Addresses } from '../lib/addresses.js'
import { patientRetry, patientStore, type StoreProtocol } from '../lib/store.js'
import { profile, schema } from '../lib/values.js'
import type { Keeping } from './shop.js'

type StoreName = 'memory' | StoreProtocol

/** All options as by default, save that the store may be slow on a busy machine. */
export function fieldwise({ memcached }: Addresses, storeName: StoreName, isSealed: boolean, isBound = false): Keeping {
  const sessions = createSessions({
    schema,
    store: storeName === 'memory' ? memoryStore() : patientStore(memcached, storeName),
    retry: patientRetry,
    ...(isSealed && { sealing: { keys: [randomBytes(32).toString('base64url')] } }),
  })
  return {
    // The benchmark speaks plain HTTP.
    middleware: expressSession(sessions, { cookie: { secure: false } }),
    async logIn(request) {
      const session = sessionOf(request, sessions)
      // Each visitor is a user with one session.
      if (isBound) await session.regenerate({ user: randomBytes(8).toString('hex') })
      await session.set({ profile, visits: 0 })
    },
    profile: (request) => sessionOf(request, sessions).get('profile'),
    count: (request) => sessionOf(request, sessions).increment('visits'),
    visits: (request) => sessionOf(request, sessions).get('visits'),
  }
}
