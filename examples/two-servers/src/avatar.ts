import { Router } from 'express'
import { avatarPage } from './avatar-page.js'
import { avatars } from './goods.js'
import type { Town } from './page.js'
import { look } from './sessions.js'

/** avatar.fieldwise.localhost: shows and changes the picture of the very same visitor. */
export function avatarSite(town: Town): Router {
  const router = Router()

  router.get('/', async (request, response) => {
    response.send(avatarPage(town, await look(request.session)))
  })

  router.post('/avatar', async (request, response) => {
    const chosen = avatars.find((avatar) => avatar === request.body?.avatar)
    if (chosen !== undefined) await request.session.set('avatar', chosen)
    response.redirect(303, '/')
  })

  return router
}
