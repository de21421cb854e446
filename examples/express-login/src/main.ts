import { expressSession } from '@fieldwise/http/express'
import express from 'express'
import { devices } from './devices.js'
import { currentUser, login } from './login.js'
import { loginPage, welcomePage } from './pages.js'
import { sessions } from './sessions.js'

const app = express()
app.use(expressSession(sessions))
app.use(login)
app.use(devices)

app.get('/', async (req, res) => {
  const user = await currentUser(req)
  if (user === undefined) return res.send(loginPage('failed' in req.query))
  return res.send(welcomePage(user, await req.session.increment('visits')))
})

const port = Number(process.env.PORT ?? 3000)
app.listen(port, (error) => {
  if (error) throw error
  console.log(`http://localhost:${port}/`)
})
