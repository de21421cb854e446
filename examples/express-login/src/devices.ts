import { Router, urlencoded } from 'express'
import { currentUser } from './login.js'
import { devicesPage, loginPage } from './pages.js'
import { sessions } from './sessions.js'
import { changePassword, type User } from './users.js'

/** The page "your devices", for whoever is logged in. */
export const devices: Router = Router()

devices.use(['/devices', '/password'], async (req, res, next) => {
  const user = await currentUser(req)
  if (user === undefined) return res.send(loginPage(false))
  res.locals.user = user
  return next()
})

devices.get('/devices', async (req, res) => {
  const user = res.locals.user as User
  const listed = await sessions.user(user.id).list({ current: req.session, preload: ['device', 'lastUse'] })
  res.send(devicesPage(user, listed, 'failed' in req.query))
})

devices.post('/devices/end', urlencoded(), async (req, res) => {
  const listed = await sessions.user((res.locals.user as User).id).list()
  // Only what is this user's: ids are public.
  const ended = listed.find(({ id }) => id === req.body.id)
  if (ended) await sessions.revoke(ended.id)
  res.redirect(303, '/devices')
})

devices.post('/devices/end-others', async (req, res) => {
  await sessions.user((res.locals.user as User).id).end({ except: req.session })
  res.redirect(303, '/devices')
})

devices.post('/password', urlencoded(), async (req, res) => {
  const user = res.locals.user as User
  const isChanged = await changePassword(user, String(req.body.old), String(req.body.password))
  if (!isChanged) return res.redirect(303, '/devices?failed')
  // Whoever knew the old password is logged out everywhere, and whoever had copied this browser's cookie is, too.
  await req.session.regenerate({ user: user.id })
  await sessions.user(user.id).end({ except: req.session })
  return res.redirect(303, '/devices')
})
