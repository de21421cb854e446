import { createSessions, memoryStore } from 'fieldwise'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { Store } from './express-session.js'
import { type AppSession, middleware } from './testing/express-session.js'
import { type App, startApp } from './testing/express-session-app.js'

const schema = z.object({}).catchall(z.json())
const apps: App[] = []

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

/** An app in which `/in/ada` logs Ada in with a new id, `/as/ada` without, and every page says who is logged in. */
async function open() {
  const sessions = createSessions({ schema, store: memoryStore() })
  const store = new Store(sessions, { user: (data) => (data.passport as { user?: string } | undefined)?.user })
  const app = await startApp([middleware(store)], async (req) => {
    const [, how, name] = req.url.split('/')
    if (how === 'in') await regenerated(req as never)
    const session = req.session as unknown as AppSession
    if (name) session.passport = { user: name }
    else session.seen = true
    await saved(session)
    return (session.passport as { user: string } | undefined)?.user ?? 'nobody'
  })
  apps.push(app)
  return { sessions, app }
}

test('a session belongs to the user that the app has put into it, from the save on', async () => {
  const { sessions, app } = await open()
  const [one, two] = [app.visitor(), app.visitor()]
  await one.get('/')
  await one.get('/in/ada')
  await two.get('/in/ada')
  expect(await sessions.user('ada').count()).toBe(2)
  expect(await sessions.user('ada').end()).toEqual({ ended: 2 })
  expect((await one.get('/')).body).toBe('nobody')
  expect((await two.get('/')).body).toBe('nobody')
})

test('a session that was there before its user is bound to it, and keeps its id', async () => {
  const { sessions, app } = await open()
  const visitor = app.visitor()
  await visitor.get('/')
  await visitor.get('/as/ada')
  const [before] = await sessions.user('ada').list()
  await visitor.get('/as/ada')
  expect((await sessions.user('ada').list()).map(({ id }) => id)).toEqual([before?.id])
  expect((await visitor.get('/')).body).toBe('ada')
})

test("a save that would make it another user's is refused, and nothing of it is stored", async () => {
  const { sessions, app } = await open()
  const visitor = app.visitor()
  await visitor.get('/as/ada')
  expect((await visitor.get('/as/bob')).status).toBe(500)
  expect((await visitor.get('/')).body).toBe('ada')
  expect(await sessions.user('bob').count()).toBe(0)
})

function regenerated({ session }: { session: AppSession }): Promise<void> {
  return new Promise((resolve, reject) => session.regenerate((error) => (error ? reject(error) : resolve())))
}

function saved(session: AppSession): Promise<void> {
  return new Promise((resolve, reject) => session.save((error) => (error ? reject(error) : resolve())))
}
