import { Store } from '@fieldwise/http/express-session'
import express from 'express'
import session from 'express-session'
import { page } from './page.js'
import { sessions } from './sessions.js'

declare module 'express-session' {
  interface SessionData {
    visits: number
    cart: string[]
  }
}

const store = new Store(sessions, {
  merge: {
    visits: (base = 0, mine, stored = 0) => stored + mine - base,
    cart: (base = [], mine, stored = []) => [...stored, ...mine.slice(base.length)],
  },
})

const app = express()
app.use(express.urlencoded())
app.use(
  session({
    store, // This is new. Everything else is as it was.
    secret: process.env.SESSION_SECRET ?? 'keyboard cat',
    resave: false,
    saveUninitialized: false,
  }),
)

app.get('/', (req, res) => {
  req.session.visits = (req.session.visits ?? 0) + 1
  res.send(page(req.session.visits, req.session.cart ?? []))
})

app.post('/cart', (req, res, next) => {
  req.session.cart = [...(req.session.cart ?? []), String(req.body.thing).slice(0, 100)]
  // express-session sends a redirect before it has saved, whatever the store.
  req.session.save((error) => (error ? next(error) : res.redirect(303, '/')))
})

const port = Number(process.env.PORT ?? 3000)
app.listen(port, (error) => {
  if (error) throw error
  console.log(`http://localhost:${port}/`)
})
