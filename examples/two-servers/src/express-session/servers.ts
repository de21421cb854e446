import connectMemcached from 'connect-memcached'
import express, { type Express } from 'express'
import session, { MemoryStore } from 'express-session'
import { type Addresses, domain } from '../addresses.js'
import { onlyFromPagesOf, readableBy } from '../cross-origin.js'
import { serve } from '../serve.js'

declare module 'express-session' {
  interface SessionData {
    visits: number
  }
}

/** The other side of the race: the same two servers with a library that reads and writes a session as a whole. */
await serve(({ memcached, secret }, addresses) => {
  const { store, close } = openStore(memcached)
  const app = countingServer(store, secret, addresses)
  return { apps: { www: app, avatar: app }, close }
})

function openStore(memcached: string | undefined) {
  if (memcached === undefined) return { store: new MemoryStore(), close: async () => {} }
  const MemcachedStore = connectMemcached(session)
  const store = new MemcachedStore({ hosts: memcached, prefix: 'whole-session:' })
  return { store, close: async () => store.client.end() }
}

function countingServer(store: session.Store, secret: string, { fieldwise }: Addresses): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use(readableBy(fieldwise.www), onlyFromPagesOf(fieldwise))
  app.use(
    session({
      name: 'whole-session',
      secret,
      store,
      resave: false,
      saveUninitialized: false,
      cookie: { domain, sameSite: 'lax' },
    }),
  )

  app.post('/visits', (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1
    response.json({ visits: request.session.visits })
  })

  app.get('/visits', (request, response) => {
    const visits = request.session.visits ?? 0
    // At the end of a request that only read, express-session touches the session, which this store does by writing the whole
    // of it back. Letting go of it keeps the spectator from spoiling the race.
    delete (request as { session?: unknown }).session
    response.json({ visits })
  })

  return app
}
