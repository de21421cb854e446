import express, { type Express, type Request, type RequestHandler } from 'express'
import type { Profile } from '../lib/values.js'

/** How a candidate keeps what it knows of a visitor. */
export interface Keeping {
  readonly middleware?: RequestHandler
  logIn(request: Request): unknown
  profile(request: Request): unknown
  /** One visit more. */
  count(request: Request): unknown
  visits(request: Request): unknown
}

/** The same small application on every way of keeping sessions. */
export function shop(keeping: Keeping): Express {
  const app = express()
  if (keeping.middleware) app.use(keeping.middleware)

  app.post('/login', async (request, response) => {
    await keeping.logIn(request)
    response.json({ welcome: true })
  })

  app.get('/profile', async (request, response) => {
    response.json((await keeping.profile(request)) as Profile)
  })

  app.post('/visits', async (request, response) => {
    response.json({ visits: await keeping.count(request) })
  })

  app.get('/visits', async (request, response) => {
    response.json({ visits: await keeping.visits(request) })
  })

  return app
}
