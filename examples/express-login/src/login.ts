import { type Request, Router, urlencoded } from 'express'
import passport from 'passport'
import { Strategy } from 'passport-local'
import { nameOfDevice } from './device.js'
import { checkPassword, findUser, type User } from './users.js'

passport.use(
  new Strategy((name, password, done) => {
    checkPassword(name, password).then((user) => done(null, user ?? false), done)
  }),
)

export const login: Router = Router()

// passport checks the password. Who is logged in is for the session to remember, so passport needs none of its own.
const password = passport.authenticate('local', { session: false, failureRedirect: '/?failed' })

login.post('/login', urlencoded(), password, async (req, res) => {
  const { id } = req.user as User
  const before = await req.session.get('userId')
  // A session belongs to one user for good.
  if (before !== undefined && before !== id) await req.session.destroy()
  // A new secret before a new right: who knew the old one has nothing.
  await req.session.regenerate({ user: id, persist: req.body.remember === 'on' })
  await req.session.set({ userId: id, device: nameOfDevice(req.get('user-agent')), lastUse: new Date() })
  res.redirect(303, '/')
})

login.post('/logout', async (req, res) => {
  await req.session.destroy()
  res.redirect(303, '/')
})

/** Who is logged in. Notes once a minute that the session is in use. */
export async function currentUser({ session }: Request): Promise<User | undefined> {
  const { userId, lastUse } = await session.getMany(['userId', 'lastUse'])
  const user = userId === undefined ? undefined : findUser(userId)
  if (user && (lastUse === undefined || Date.now() - lastUse.getTime() > 60_000)) await session.set('lastUse', new Date())
  return user
}
