import { Router } from 'express'
import { type Good, goods } from './goods.js'
import type { Town } from './page.js'
import { racePage } from './race-page.js'
import { look } from './sessions.js'
import { shopPage } from './shop-page.js'

/** www.fieldwise.localhost: a shop and a race. */
export function shop(town: Town): Router {
  const router = Router()

  router.get('/', async (request, response) => {
    response.send(shopPage(town, await look(request.session)))
  })

  router.post('/cart', async (request, response) => {
    const good = readGood(request.body?.good)
    if (good === undefined) return response.redirect(303, '/')
    await request.session.update('cart', (cart) => {
      const line = cart.find((one) => one.good === good)
      if (line === undefined) cart.push({ good, packets: 1 })
      else line.packets = Math.min(line.packets + 1, 99)
    })
    response.redirect(303, '/#cart')
  })

  router.post('/cart/remove', async (request, response) => {
    const good = readGood(request.body?.good)
    await request.session.update('cart', (cart) => cart.filter((line) => line.good !== good))
    response.redirect(303, '/#cart')
  })

  router.get('/race', async (request, response) => {
    response.send(racePage(town, await look(request.session)))
  })

  return router
}

function readGood(text: unknown): Good | undefined {
  return goods.find((good) => good === text)
}
