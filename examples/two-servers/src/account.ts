import { Router } from 'express'

/** Logging in and out, the same on both servers. */
export function account(): Router {
  const router = Router()

  router.post('/login', async (request, response) => {
    const username = String(request.body?.username ?? '').trim()
    await request.session.set('username', username)
    // A new right deserves a new secret: whoever knew the cookie from before the login has nothing in hand afterwards.
    await request.session.regenerate()
    response.redirect(303, '/')
  })

  router.post('/logout', async (request, response) => {
    await request.session.destroy()
    response.redirect(303, '/')
  })

  return router
}
