import { type ChildProcess, type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { accessibilityFaults, complaintsOf, launchChromium, picture } from './support/chromium.js'
import { Memcached } from './support/memcached.js'
import { sized } from './support/scale.js'

const folder = fileURLToPath(new URL('../examples/two-servers/', import.meta.url))

const everyLook = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  { name: 'a phone', colorScheme: 'light', viewport: { width: 390, height: 844 } },
] as const
// Dark on a large screen and light on a small one: both colour schemes and both widths.
const looks = sized(everyLook, everyLook.slice(1))

let browser: Browser

beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser?.close())

describe('npm start', () => {
  let demo: Demo
  let visitor: BrowserContext
  let complaints: string[]

  beforeAll(async () => {
    demo = await Demo.start()
  })
  afterAll(() => demo?.[Symbol.asyncDispose]())
  beforeEach(async () => {
    visitor = await browser.newContext()
    complaints = complaintsOf(visitor)
  })
  afterEach(async () => {
    await visitor.close()
    expect(complaints).toEqual([])
  })

  it('knows on one server who has logged in on the other, and what is in the cart', async () => {
    const shop = await open(visitor, demo.shop)
    await logIn(shop, 'Ada')
    await shop.getByRole('button', { name: 'Add Poppy to the cart' }).click()
    await shop.getByRole('button', { name: 'Add Poppy to the cart' }).click()
    const avatar = await open(visitor, demo.avatar)
    expect(await avatar.getByRole('heading', { level: 1 }).textContent()).toBe('Hello, Ada')
    expect(await field(avatar, 'cart')).toBe('2 × Poppy')
  })

  it('shows on one server the avatar that was chosen on the other', async () => {
    const avatar = await open(visitor, demo.avatar)
    await logIn(avatar, 'Grace')
    await avatar.getByRole('button', { name: 'penguin' }).click()
    const shop = await open(visitor, demo.shop)
    expect(await field(shop, 'avatar')).toBe('penguin')
    expect(await field(shop, 'username')).toBe('Grace')
  })

  it('ends the login on both servers when the visitor logs out on one', async () => {
    const shop = await open(visitor, demo.shop)
    await logIn(shop, 'Ada')
    const avatar = await open(visitor, demo.avatar)
    await avatar.getByRole('button', { name: 'Log out' }).click()
    await shop.reload()
    expect(await field(shop, 'username')).toBe('not logged in')
    expect(await field(shop, 'visits')).toBe('2')
  })

  it('gives a new cookie at login, and the one from before is dead', async () => {
    const shop = await open(visitor, demo.shop)
    const planted = await visitor.cookies()
    await logIn(shop, 'Ada')
    const thief = await browser.newContext()
    await thief.addCookies(planted)
    const answer = await (await thief.newPage()).goto(demo.shop)
    expect(answer?.status()).toBe(409)
    expect(await answer?.text()).not.toContain('Ada')
    await thief.close()
  })

  it('loses nothing in the race, where the whole-session library does', async () => {
    const race = await open(visitor, demo.race)
    const before = Number(await field(await open(visitor, demo.shop), 'visits'))
    expect(await runRace(race)).toContain('Fieldwise kept 240 of 240.')
    expect(await figures(race, 'Fieldwise')).toEqual({ sent: 240, kept: 240, lost: 0 })
    const theirs = await figures(race, 'express-session')
    expect(theirs.sent).toBe(240)
    expect(theirs.lost).toBeGreaterThan(0)
    expect(theirs.kept + theirs.lost).toBe(240)
    // The request that began the race, and the page that is looked at now.
    expect(await field(await open(visitor, demo.shop), 'visits')).toBe(String(before + 240 + 2))
  }, 120_000)

  it('shows a name that is HTML as a name', async () => {
    const shop = await open(visitor, demo.shop)
    const name = `<img src=x onerror=alert(1)>"'&`
    await logIn(shop, name)
    expect(await shop.locator('.username').textContent()).toBe(name)
    expect(await (await open(visitor, demo.avatar)).getByRole('heading', { level: 1 }).textContent()).toBe(`Hello, ${name}`)
  })

  it('can be used with the keyboard alone', async () => {
    const shop = await open(visitor, demo.shop)
    await shop.keyboard.press('Tab')
    expect(await shop.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the content')
    await shop.getByLabel('Your name').focus()
    await shop.keyboard.type('Ada')
    await shop.keyboard.press('Enter')
    await shop.locator('.username').waitFor()
    await shop.getByRole('button', { name: 'Add Aster to the cart' }).focus()
    await shop.keyboard.press('Enter')
    await shop.getByRole('button', { name: 'Remove Aster from the cart' }).focus()
    await shop.keyboard.press('Enter')
    await shop.getByText('Nothing in it yet.').waitFor()
  })

  it('answers under its own names only', async () => {
    expect((await ask(demo.shop, { headers: { host: 'evil.example' } })).status).toBe(421)
    expect((await ask(demo.shop, { headers: { host: new URL(demo.avatar).host } })).status).toBe(421)
    expect((await ask(demo.shop)).status).toBe(200)
  })

  it('changes nothing for a page of somebody else', async () => {
    for (const origin of [undefined, 'null', 'http://evil.localhost', 'http://fieldwise.localhost']) {
      const headers = origin === undefined ? {} : { origin }
      const answer = await ask(`${demo.shop}visits`, { method: 'POST', headers })
      expect({ status: answer.status, cookie: answer.headers['set-cookie'] }).toEqual({ status: 403, cookie: undefined })
    }
  })

  it('lets no page run or load anything from elsewhere, nor a script of its own text', async () => {
    for (const address of [demo.shop, demo.avatar, demo.race]) {
      const { headers } = await ask(address)
      expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
      expect(headers['content-security-policy']).not.toContain('unsafe')
    }
  })

  it('has pages without a fault that axe-core can find, in both colour schemes and both widths', async () => {
    const faults: Record<string, string[]> = {}
    const page = await visitor.newPage()
    await page.emulateMedia({ reducedMotion: 'reduce' })
    const inspect = async (called: string) => {
      for (const { name, colorScheme, viewport } of looks) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize(viewport)
        faults[`${called}, ${name}`] = await accessibilityFaults(page)
        await picture(page, `${folder}screenshots/${called}, ${name}.png`)
      }
    }
    await page.goto(demo.shop)
    await inspect('shop at first')
    await logIn(page, 'Ada Lovelace')
    for (const good of ['Poppy', 'Bluebell']) await page.getByRole('button', { name: `Add ${good}` }).click()
    await inspect('shop')
    await page.goto(demo.avatar)
    await page.getByRole('button', { name: 'fox' }).click()
    await inspect('avatar')
    await page.goto(demo.race)
    await inspect('race at first')
    await runRace(page)
    await inspect('race')
    expect(complaints).toEqual([])
    await page.goto(`${demo.shop}nowhere`)
    await inspect('not found')
    // The browser itself complains of the page that is not there.
    complaints.splice(0)
    expect(Object.values(faults).flat(), JSON.stringify(faults, null, 2)).toEqual([])
  }, 120_000)
})

describe('a memcached that was there before', () => {
  it('may go away and come back: until then there is a page that says so', async () => {
    await using memcached = await Memcached.start()
    await using demo = await Demo.start(['--store', memcached.address])
    await memcached.stop()
    const answer = await ask(demo.shop)
    expect(answer.status).toBe(503)
    expect(answer.headers['retry-after']).toBeDefined()
    expect(answer.body).toContain('The session store does not answer')
    await memcached.start()
    await expect.poll(async () => (await ask(demo.shop)).status, { timeout: 10_000 }).toBe(200)
  })
})

describe('npm start without memcached', () => {
  it('runs both servers in one process, with one session', async () => {
    await using demo = await Demo.start([], { PATH: folder })
    expect(demo.printed).toContain('the embedded memory store, one process')
    await using visitor = await browser.newContext()
    await logIn(await open(visitor, demo.shop), 'Ada')
    expect(await field(await open(visitor, demo.avatar), 'username')).toBe('Ada')
  })
})

describe('npm start -- --once', () => {
  it.each(sized(['memcached', 'memory'], ['memory']))(
    'loses nothing with the store %s, shows what express-session lost, and exits with 0',
    async (store) => {
      const { printed, code } = await run(['--once', '--store', store])
      expect(printed).toMatch(/^express-session +3,200 +[\d,]+ +[1-9][\d,]* /m)
      expect(printed).toMatch(/^Fieldwise +3,200 +3,200 +0 /m)
      expect(printed).toMatch(/\nfieldwise lost 0 of 3200\n$/)
      expect(code).toBe(0)
    },
    120_000,
  )
})

describe('the command line of npm start', () => {
  it('explains itself', async () => {
    const { printed, code } = await run(['--help'])
    expect(printed).toContain('npm start -- --once')
    expect(code).toBe(0)
  })

  it.each([
    ['--store', 'redis'],
    ['--port', '0'],
    ['--port', '80a'],
    ['--prot', '4100'],
  ])('refuses %s %s in one sentence', async (...args) => {
    const { printed, code } = await run(args)
    expect(printed).toMatch(/^[^\n]*--(store|port|prot)[^\n]*\n$/)
    expect(code).toBe(1)
  })
})

describe('what npm start leaves behind', () => {
  it.each(sized<NodeJS.Signals>(['SIGINT', 'SIGTERM'], ['SIGINT']))('is nothing after %s', async (signal) => {
    await using demo = await Demo.start()
    const children = demo.children()
    expect(children).toHaveLength(5)
    demo.process.kill(signal)
    const [code] = await once(demo.process, 'exit')
    expect(code).toBe(0)
    expect(children.filter(isAlive)).toEqual([])
  })

  it('is nothing after a server has died, and the exit code says so', async () => {
    await using demo = await Demo.start()
    const children = demo.children()
    process.kill(children.at(-1) as number, 'SIGKILL')
    const [code] = await once(demo.process, 'exit')
    expect(code).toBe(1)
    expect(children.filter(isAlive)).toEqual([])
  })

  it('is nothing after a port that is taken, and the answer is a sentence', async () => {
    await using server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { printed, code } = await run(['--port', String(port)])
    expect(printed).toMatch(/^Port \d+ or \d+ is in use; choose another one with --port\n$/)
    expect(code).toBe(1)
  })
})

/** The demo as a person starts it: the built program in a process of its own. */
class Demo implements AsyncDisposable {
  readonly shop: string
  readonly avatar: string
  readonly race: string

  static async start(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Demo> {
    const child = launch(args, env)
    return new Demo(child, await untilPrinted(child, 'Ctrl-C'))
  }

  private constructor(
    readonly process: ChildProcess,
    readonly printed: string,
  ) {
    const [shop, avatar, race] = printed.match(/http:\/\/\S+/g) as [string, string, string]
    this.shop = shop
    this.avatar = avatar
    this.race = race
  }

  /** The processes that it has started. */
  children(): number[] {
    return execFileSync('pgrep', ['-P', String(this.process.pid)], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const ended = once(this.process, 'exit')
    this.process.kill('SIGINT')
    await ended
  }
}

async function run(args: readonly string[]): Promise<{ printed: string; code: number }> {
  const child = launch(args, {})
  const [printed, complained, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { printed: printed + complained, code }
}

function launch(args: readonly string[], env: NodeJS.ProcessEnv): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn(process.execPath, ['dist/main.js', ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** Whatever ends the tests, no demo is left behind. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill()
})

function untilPrinted(child: ReturnType<typeof launch>, end: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = ''
    child.stdout.on('data', (chunk) => {
      printed += chunk
      if (printed.includes(end)) resolve(printed)
    })
    child.stderr.on('data', (chunk) => {
      printed += chunk
    })
    child.once('exit', (code) => reject(new Error(`The demo ended with ${code} before it had started:\n${printed}`)))
  })
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function open(visitor: BrowserContext, address: string): Promise<Page> {
  const page = await visitor.newPage()
  await page.goto(address)
  return page
}

async function logIn(page: Page, name: string): Promise<void> {
  await page.getByLabel('Your name').fill(name)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.locator('.username').waitFor()
}

/** What the page shows of a session's field. */
async function field(page: Page, name: string): Promise<string | null> {
  return await page.locator(`[data-field=${name}]`).textContent()
}

/** Resolves with what the page says at the end. */
async function runRace(page: Page): Promise<string | null> {
  await page.getByLabel('Requests to each side').selectOption('240')
  await page.getByRole('button', { name: 'Start the race' }).click()
  const verdict = page.getByRole('status').filter({ hasText: /kept|broken off/ })
  await verdict.waitFor({ timeout: 60_000 })
  return await verdict.textContent()
}

async function figures(page: Page, lane: string): Promise<{ sent: number; kept: number; lost: number }> {
  const read = async (figure: string) => Number(await page.locator(`[data-lane=${lane}] [data-figure=${figure}]`).textContent())
  return { sent: await read('sent'), kept: await read('kept'), lost: await read('lost') }
}

/** Asks as Node can: names under `localhost` are for browsers, so the name goes into the Host header. */
async function ask(address: string, { method = 'GET', headers = {} }: { method?: string; headers?: OutgoingHttpHeaders } = {}) {
  const { host, port, pathname } = new URL(address)
  const asked = request({ host: '127.0.0.1', port, path: pathname, method, headers: { host, ...headers } }).end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) }
}
