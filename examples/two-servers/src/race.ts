import { Router } from 'express'
import type { Origins } from './addresses.js'
import { readableBy } from './cross-origin.js'

/** What a race asks of both servers: count one more visit, and say what is kept. */
export function race(origins: Origins): Router {
  const router = Router()

  // The race runs in a page of the shop and asks the avatar server too.
  router.use('/visits', readableBy(origins.www))

  router.post('/visits', async (request, response) => {
    response.json({ visits: await request.session.increment('visits') })
  })

  router.get('/visits', async (request, response) => {
    response.json({ visits: await request.session.get('visits') })
  })

  return router
}
