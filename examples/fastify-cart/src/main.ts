import formbody from '@fastify/formbody'
import { fastifySession } from '@fieldwise/http/fastify'
import fastify from 'fastify'
import { page } from './page.js'
import { type Good, goods, sessions } from './sessions.js'

const app = fastify()
await app.register(fastifySession(sessions))
await app.register(formbody)

app.get('/', async (request, reply) => {
  reply.type('text/html')
  return page(await request.session.get('cart'))
})

/** What the two forms of the page send. Anything else is answered with 400. */
const oneGood = { schema: { body: { type: 'object', required: ['good'], properties: { good: { enum: goods } } } } }

app.post<{ Body: { good: Good } }>('/add', oneGood, async (request, reply) => {
  const { good } = request.body
  // Reads, changes and writes as one step, also when another tab does so at this moment.
  await request.session.update('cart', (cart) => ({ ...cart, [good]: (cart[good] ?? 0) + 1 }))
  return reply.redirect('/', 303)
})

app.post<{ Body: { good: Good } }>('/remove', oneGood, async (request, reply) => {
  await request.session.update('cart', (cart) => {
    delete cart[request.body.good]
  })
  return reply.redirect('/', 303)
})

const port = Number(process.env.PORT ?? 3000)
await app.listen({ port })
console.log(`http://localhost:${port}/`)
