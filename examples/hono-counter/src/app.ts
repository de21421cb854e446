import { honoSession } from '@fieldwise/http/hono'
import { Hono } from 'hono'
import { html } from 'hono/html'
import { sessions } from './sessions.js'

export const app = new Hono()
  .use(honoSession(sessions))

  .get('/', async (c) => {
    const count = await c.var.session.get('count')
    return c.html(
      html`<!doctype html>
        <html lang="en">
          <title>Counter</title>
          <h1>${count}</h1>
          <form method="post" action="/count"><button>Count</button></form>
          <form method="post" action="/reset"><button>Start again</button></form>
        </html>`,
    )
  })

  // However many clicks come at once, each of them counts.
  .post('/count', async (c) => {
    await c.var.session.increment('count')
    return c.redirect('/', 303)
  })

  .post('/reset', async (c) => {
    await c.var.session.delete('count')
    return c.redirect('/', 303)
  })
