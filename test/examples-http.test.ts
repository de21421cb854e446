import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { accessibilityFaults, complaintsOf, launchChromium } from './support/chromium.js'
import { freePorts } from './support/free-port.js'
import { Memcached } from './support/memcached.js'
import { root } from './support/packages.js'
import { Program } from './support/program.js'
import { report } from './support/scale.js'
import { Visitor } from './support/visitor.js'

const examples = join(root, 'examples')
const ends: AsyncDisposable[] = []
let memcached: Memcached

beforeAll(async () => {
  memcached = await Memcached.start()
})

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end[Symbol.asyncDispose]()
})

afterAll(() => memcached[Symbol.asyncDispose]())

test.each(readdirSync(examples).filter((name) => name !== 'two-servers'))('%s starts with npm start', (name) => {
  const { scripts } = JSON.parse(readFileSync(join(examples, name, 'package.json'), 'utf8'))
  expect(scripts.start).toBe('node ../../.scripts/start.mjs')
})

test('npm start in the folder of an example builds and runs it, on the memory store', { timeout: 300_000 }, async () => {
  const [port] = (await freePorts(1)) as [number]
  const env = { PORT: String(port), MEMCACHE_SERVERS: '' }
  const ready = /http:\/\/localhost/
  ends.push(await Program.start('npm', ['start'], { cwd: join(examples, 'hono-counter'), env, ready }))
  expect(await new Visitor(port).post('/count')).toContain('<h1>1</h1>')
})

describe('hono-counter', () => {
  test('counts every click, those of one moment too, and starts again', async () => {
    const visitor = new Visitor(await start('hono-counter'))
    expect(await visitor.get('/')).toContain('<h1>0</h1>')
    await visitor.post('/count')
    await Promise.all(Array.from({ length: 40 }, () => visitor.post('/count')))
    expect(await visitor.get('/')).toContain('<h1>41</h1>')
    expect(await visitor.post('/reset')).toContain('<h1>0</h1>')
  })
})

describe('fastify-cart', () => {
  test('holds everything that was put into the cart at once, and gives it back', async () => {
    const visitor = new Visitor(await start('fastify-cart'))
    expect(await visitor.post('/add', { good: 'tea' })).toContain('1 × tea')
    const goods = ['tea', 'bread', 'cheese', 'bread']
    await Promise.all(Array.from({ length: 40 }, (_, index) => visitor.post('/add', { good: goods[index % 4] as string })))
    const page = await visitor.get('/')
    for (const line of ['11 × tea', '20 × bread', '10 × cheese']) expect(page).toContain(line)
    expect(await visitor.post('/remove', { good: 'bread' })).not.toContain('× bread')
  })

  test('refuses what is not sold, and stores nothing', async () => {
    const visitor = new Visitor(await start('fastify-cart'))
    expect(await visitor.post('/add', { good: '__proto__' })).toMatch(/^400/)
    expect(visitor.cookies.size).toBe(0)
  })
})

describe('express-login', () => {
  const ada = { username: 'ada', password: 'lovelace' }

  test('logs in with the right password only', async () => {
    const visitor = new Visitor(await start('express-login'))
    expect(await visitor.get('/')).toContain('Log in')
    expect(await visitor.post('/login', { ...ada, password: 'byron' })).toContain('No user has this name and password.')
    expect(await visitor.post('/login', { username: 'nobody', password: 'x' })).toContain('No user has this name and password.')
    expect(visitor.cookies.size).toBe(0)
    expect(await visitor.post('/login', ada)).toContain('Hello, ada')
    await Promise.all(Array.from({ length: 20 }, () => visitor.get('/')))
    expect(await visitor.get('/')).toContain('This is visit 22.')
  })

  test('gives a new cookie at login, and at logout none of them is worth anything', async () => {
    const visitor = new Visitor(await start('express-login'))
    await visitor.post('/login', ada)
    const first = visitor.clone()
    expect(await visitor.post('/login', ada)).toContain('Hello, ada')
    expect(await first.get('/')).toContain('Log in')
    const second = visitor.clone()
    expect(await visitor.post('/logout')).toContain('Log in')
    expect(await second.get('/')).toContain('Log in')
  })

  test('stays logged in beyond the browser, if that was asked for', async () => {
    const visitor = new Visitor(await start('express-login'))
    const maxAge = async (form: Record<string, string>) => {
      await visitor.send('/login', { method: 'POST', body: new URLSearchParams(form) })
      return /Max-Age=(\d+)/.exec(visitor.setCookies[0] ?? '')?.[1]
    }
    expect(await maxAge(ada)).toBeUndefined()
    expect(Number(await maxAge({ ...ada, remember: 'on' }))).toBeGreaterThan(0)
  })
})

describe('the devices of a user of express-login, in two browsers', () => {
  let chromium: Browser
  beforeAll(async () => {
    chromium = await launchChromium()
  })
  afterAll(() => chromium.close())

  test('are listed, with when they were last used; the other one is logged out, and this one stays', async () => {
    const { phone, desk } = await logInTwice()
    await desk.getByRole('link', { name: 'Your devices' }).click()
    expect(await devicesOn(desk)).toEqual(['Firefox on Linux', 'Safari on iPhone'])
    expect(await accessibilityFaults(desk)).toEqual([])
    const row = desk.getByRole('row').filter({ hasText: 'iPhone' })
    expect(Date.now() - Date.parse((await row.locator('time').last().getAttribute('datetime')) as string)).toBeLessThan(60_000)
    await submit(row.getByRole('button', { name: 'Log out' }))
    expect(await devicesOn(desk)).toEqual(['Firefox on Linux'])
    expect(await headingAfterReload(phone)).toBe('Log in')
    expect(await headingAfterReload(desk)).toBe('Your devices')
  })

  test('are all logged out but this one, and can log in again', async () => {
    const { phone, desk } = await logInTwice()
    await phone.getByRole('link', { name: 'Your devices' }).click()
    await submit(phone.getByRole('button', { name: 'Log out all other devices' }))
    expect(await headingAfterReload(desk)).toBe('Log in')
    expect(await devicesOn(phone)).toEqual(['Safari on iPhone'])
    await logIn(desk, 'lovelace')
    expect(await headingAfterReload(phone)).toBe('Your devices')
    expect(await devicesOn(phone)).toEqual(['Firefox on Linux', 'Safari on iPhone'])
  })

  test('are logged out everywhere else when the password changes, and a copied cookie of this one is dead', async () => {
    const { phone, desk } = await logInTwice()
    const thief = await chromium.newContext()
    await thief.addCookies(await desk.context().cookies())
    await desk.getByRole('link', { name: 'Your devices' }).click()
    await changePassword(desk, 'byron', 'analytical')
    expect(await desk.getByRole('alert').textContent()).toBe('That is not your present password.')
    expect(await headingAfterReload(phone)).toBe('Hello, ada')
    await changePassword(desk, 'lovelace', 'analytical')
    expect(await headingAfterReload(phone)).toBe('Log in')
    const stolen = await thief.newPage()
    await stolen.goto(desk.url())
    expect(await stolen.getByRole('heading', { level: 1 }).textContent()).toBe('Log in')
    expect(await headingAfterReload(desk)).toBe('Your devices')
    await logIn(phone, 'lovelace')
    expect(await phone.getByRole('alert').textContent()).toBe('No user has this name and password.')
    await logIn(phone, 'analytical')
    expect(await headingAfterReload(phone)).toBe('Hello, ada')
    await thief.close()
  })

  /** Ada on her phone, and then at her desk. */
  async function logInTwice(): Promise<{ phone: Page; desk: Page }> {
    const own = await Memcached.start()
    ends.push(own)
    const port = await start('express-login', { server: own })
    const phone = await openOn(
      port,
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1',
    )
    const desk = await openOn(port, 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')
    for (const page of [phone, desk]) await logIn(page, 'lovelace')
    return { phone, desk }
  }

  async function openOn(port: number, userAgent: string): Promise<Page> {
    const context = await chromium.newContext({ userAgent })
    const complaints = complaintsOf(context)
    ends.push({
      async [Symbol.asyncDispose]() {
        await context.close()
        expect(complaints).toEqual([])
      },
    })
    const page = await context.newPage()
    await page.goto(`http://localhost:${port}/`)
    return page
  }

  async function logIn(page: Page, password: string): Promise<void> {
    await page.getByLabel('Name').fill('ada')
    await page.getByLabel('Password').fill(password)
    await submit(page.getByRole('button', { name: 'Log in' }))
  }

  async function changePassword(page: Page, old: string, password: string): Promise<void> {
    await page.getByLabel('Present password').fill(old)
    await page.getByLabel('New password').fill(password)
    await submit(page.getByRole('button', { name: 'Change it' }))
  }

  /** Resolves when the page that answers is there: one that is reloaded before is neither the old nor the new. */
  async function submit(button: Locator): Promise<void> {
    const loaded = button.page().waitForEvent('load')
    await button.click()
    await loaded
  }

  async function headingAfterReload(page: Page): Promise<string | null> {
    await page.reload()
    return page.getByRole('heading', { level: 1 }).textContent()
  }

  async function devicesOn(page: Page): Promise<string[]> {
    return page.locator('tr td:first-child').allTextContents()
  }
})

describe('express-session-drop-in', () => {
  test('counts every visit and keeps everything that was put into the cart at once', async () => {
    const visitor = new Visitor(await start('express-session-drop-in'))
    expect(await visitor.get('/')).toContain('Visit 1<')
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        index % 2 ? visitor.get('/') : visitor.send('/cart', formOf({ thing: `<${index}>` })),
      ),
    )
    const page = await visitor.get('/')
    expect(page).toContain('Visit 22<')
    for (let index = 0; index < 40; index += 2) expect(page).toContain(`<li>&#60;${index}&#62;</li>`)
  })

  test('runs as four processes behind nginx, which spreads the requests at random: nothing is lost', async () => {
    const [front, ...ports] = (await freePorts(5)) as [number, number, number, number, number]
    await Promise.all(ports.map((port) => start('express-session-drop-in', { port })))
    ends.push(await startNginx(front, ports))
    const visitor = new Visitor(front)
    await visitor.get('/')
    const served: Record<string, number> = {}
    const connection = async (number: number) => {
      for (let time = 0; time < 12; time++) {
        const thing = `${number}.${time}`
        const answer = await visitor.send(time % 4 ? '/' : '/cart', time % 4 ? {} : formOf({ thing }))
        const process = answer.headers.get('x-served-by') as string
        served[process] = (served[process] ?? 0) + 1
        await answer.arrayBuffer()
      }
    }
    await Promise.all(Array.from({ length: 32 }, (_, number) => connection(number)))
    const page = await visitor.get('/')
    const visits = Number(/Visit (\d+)</.exec(page)?.[1])
    const things = page.match(/<li>/g)?.length
    report(
      `four processes behind nginx served ${Object.values(served).sort().join(', ')} requests; of 290 visits ${visits} are kept, of 96 things ${things}`,
    )
    expect(Object.keys(served).sort()).toEqual(ports.map((port) => `127.0.0.1:${port}`).sort())
    expect([visits, things]).toEqual([1 + 32 * 9 + 1, 32 * 3])
  })
})

/** Starts an example on memcached. Resolves with its port. */
async function start(name: string, { port, server = memcached }: { port?: number; server?: Memcached } = {}): Promise<number> {
  const chosen = port ?? ((await freePorts(1))[0] as number)
  const env = { PORT: String(chosen), MEMCACHE_SERVERS: server.address }
  ends.push(
    await Program.start(process.execPath, ['dist/main.js'], { cwd: join(examples, name), env, ready: /http:\/\/localhost/ }),
  )
  return chosen
}

/** nginx with the configuration that the example shows, on other ports. */
async function startNginx(front: number, ports: readonly number[]): Promise<AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), 'fieldwise-nginx-'))
  const shown = readFileSync(join(examples, 'express-session-drop-in/nginx.conf'), 'utf8')
  const config = [front, ...ports].reduce((text, port, index) => text.replace(`:300${index};`, `:${port};`), shown)
  writeFileSync(join(folder, 'nginx.conf'), config)
  // At this level it says when it has begun to listen.
  const args = ['-e', 'stderr', '-p', folder, '-c', 'nginx.conf', '-g', 'error_log stderr notice;']
  // Debian keeps it where only root's PATH leads.
  const env = { PATH: `${process.env.PATH}:/usr/sbin` }
  const nginx = await Program.start('nginx', args, { cwd: folder, env, ready: /start worker process / })
  return {
    async [Symbol.asyncDispose]() {
      await nginx[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function formOf(values: Record<string, string>): RequestInit {
  return { method: 'POST', body: new URLSearchParams(values) }
}
