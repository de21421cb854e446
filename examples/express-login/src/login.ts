import { Router, urlencoded } from 'express'
import passport from 'passport'
import { Strategy } from 'passport-local'
import { checkPassword, type User } from './users.js'

passport.use(
  new Strategy((name, password, done) => {
    checkPassword(name, password).then((user) => done(null, user ?? false), done)
  }),
)

export const login: Router = Router()

// passport checks the password. Who is logged in is for the session to remember, so passport needs none of its own.
const password = passport.authenticate('local', { session: false, failureRedirect: '/?failed' })

login.post('/login', urlencoded(), password, async (req, res) => {
  // A new secret before a new right: who knew the old one has nothing.
  await req.session.regenerate({ persist: req.body.remember === 'on' })
  await req.session.set('userId', (req.user as User).id)
  res.redirect(303, '/')
})

login.post('/logout', async (req, res) => {
  await req.session.destroy()
  res.redirect(303, '/')
})
