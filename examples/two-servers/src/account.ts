import { Router } from 'express'

/** Logging in and out, the same on both servers. */
export function account(): Router {
  const router = Router()

  router.post('/login', async (request, response) => {
    const username = String(request.body?.username ?? '').trim()
    // A new right deserves a new secret, and gets it first: whoever knew the cookie from before the login has nothing in hand.
    await request.session.regenerate()
    await request.session.set('username', username)
    response.redirect(303, '/')
  })

  router.post('/logout', async (request, response) => {
    await request.session.destroy()
    response.redirect(303, '/')
  })

  return router
}
