import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CookieOptions, checkCookieHosts, sessionOf } from '@fieldwise/http'
import { expressSession } from '@fieldwise/http/express'
import express from 'express'
import type { Browser, BrowserContext } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchChromium } from '../../../test/support/chromium.js'
import { collectWarnings, newSessions } from './testing/app.js'
import { gate } from './testing/scripted-store.js'

// Over real TLS, since browsers accept Secure cookies from http://*.localhost too.
const credentials = makeCertificate()
const running: Server[] = []
let chromium: Browser
let browser: BrowserContext
let warnings: ReturnType<typeof collectWarnings>

beforeAll(async () => {
  chromium = await launchChromium(['--host-resolver-rules=MAP * 127.0.0.1', '--test-third-party-cookie-phaseout'])
})

beforeEach(async () => {
  warnings = collectWarnings()
  browser = await chromium.newContext({ ignoreHTTPSErrors: true })
})

afterEach(async () => {
  warnings.stop()
  await browser.close()
  for (const server of running.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

afterAll(async () => {
  await chromium.close()
})

test('a login on one host is one on its sister, and a logout ends both', async () => {
  const { port } = await serveShop({ domain: 'shop.test' })
  await open(`https://www.shop.test:${port}/login`)
  expect(await open(`https://avatar.shop.test:${port}/whoami`)).toBe('ada')
  expect(await browser.cookies()).toEqual([
    expect.objectContaining({ name: '__Secure-session', domain: '.shop.test', httpOnly: true, secure: true, sameSite: 'Lax' }),
  ])
  await open(`https://avatar.shop.test:${port}/logout`)
  expect(await browser.cookies()).toEqual([])
  expect(await open(`https://www.shop.test:${port}/whoami`)).toBe('nobody')
})

test('the default cookie is kept, for its one host', async () => {
  const { port } = await serveShop({})
  await open(`https://www.shop.test:${port}/login`)
  expect(await browser.cookies()).toEqual([
    expect.objectContaining({ name: '__Host-session', domain: 'www.shop.test', path: '/' }),
  ])
  expect(await open(`https://www.shop.test:${port}/whoami`)).toBe('ada')
  expect(await open(`https://avatar.shop.test:${port}/whoami`)).toBe('nobody')
})

test('a request that left before the login and ends after it does not log out', async () => {
  const { port, slow } = await serveShop({})
  const page = await browser.newPage()
  await page.goto(`https://www.shop.test:${port}/visit`)
  await page.evaluate("void (window.late = fetch('/slow-write').then((answer) => answer.text()))")
  await slow.reached.promise
  await page.evaluate("fetch('/login')")
  slow.opened.open()
  expect(await page.evaluate('window.late')).toBe('SESSION_GONE')
  expect(await open(`https://www.shop.test:${port}/whoami`)).toBe('ada')
})

describe('two living cookies of one name', () => {
  test('from before and after a Domain was set: the next login is one', async () => {
    const name = '__Secure-sid'
    const { port, sessions } = await serveShop({ name })
    const later = await serveShop({ name, domain: 'shop.test' }, sessions)
    await open(`https://www.shop.test:${port}/visit`)
    await open(`https://avatar.shop.test:${later.port}/visit`)
    expect(await browser.cookies(`https://www.shop.test`)).toHaveLength(2)
    await open(`https://www.shop.test:${later.port}/login`)
    expect(await browser.cookies(`https://www.shop.test`)).toEqual([expect.objectContaining({ domain: '.shop.test' })])
    expect(await open(`https://www.shop.test:${later.port}/whoami`)).toBe('ada')
    await open(`https://www.shop.test:${later.port}/logout`)
    expect(await browser.cookies()).toEqual([])
  })

  test.each(['/', '/whoami'])(
    'one of them planted by a sister host for the path %s: it never wins, and the next login is one',
    async (path) => {
      const { port, sessions } = await serveShop({ name: '__Secure-sid' })
      const planted = await sessions.create({ username: 'mallory' })
      const plant = { name: '__Secure-sid', value: planted.token as string, domain: '.shop.test', path, secure: true }
      await open(`https://www.shop.test:${port}/login`)
      await browser.addCookies([plant])
      expect(await open(`https://www.shop.test:${port}/whoami`)).toBe('nobody')
      await open(`https://www.shop.test:${port}/whoami/login`)
      expect(await open(`https://www.shop.test:${port}/whoami`)).toBe('ada')
      expect(await browser.cookies('https://www.shop.test/whoami')).toEqual([
        expect.objectContaining({ domain: 'www.shop.test' }),
      ])
      await expect(planted.get('username')).resolves.toBe('mallory')
    },
  )
})

describe('in a frame on another site, where browsers block cookies of third parties,', () => {
  test('a partitioned session lives, one for each site around it', async () => {
    const { port } = await serveShop({ partitioned: true })
    expect(await framed(port, 'partner.test')).toBe('1')
    expect(await framed(port, 'partner.test')).toBe('2')
    expect(await framed(port, 'other.test')).toBe('1')
  })

  test('any other is lost', async () => {
    const { port } = await serveShop({ sameSite: 'none' })
    expect(await framed(port, 'partner.test')).toBe('1')
    expect(await framed(port, 'partner.test')).toBe('1')
  })
})

test.each([
  ['www.example.com', 'example.com'],
  ['example.com', 'example.com'],
  ['notexample.com', 'example.com'],
  ['example.com', 'www.example.com'],
  ['www.example.org', 'example.com'],
  ['www.example.co.uk', 'example.co.uk'],
  ['www.example.co.uk', 'co.uk'],
  ['ada.github.io', 'ada.github.io'],
  ['ada.github.io', 'github.io'],
  ['www.shop.localhost', 'shop.localhost'],
  ['www.shop.localhost', 'localhost'],
  ['127.0.0.1', 'example.com'],
])('checkCookieHosts says of %s and Domain=%s what the browser does', async (host, domain) => {
  const { port } = await serveShop({ domain })
  await open(`https://${host}:${port}/visit`)
  const isKept = (await browser.cookies()).length > 0
  expect((await checkCookieHosts([host], { domain })).length === 0).toBe(isKept)
})

/** The text of a page. */
async function open(url: string): Promise<string> {
  const page = await browser.newPage()
  await page.goto(url)
  const text = await page.evaluate<string>('document.body.innerText')
  await page.close()
  return text
}

/** The text of the shop's counter in a frame of another site. */
async function framed(port: number, site: string): Promise<string | null> {
  const page = await browser.newPage()
  await page.goto(`https://www.${site}:${port}/frame`)
  const text = await page.frameLocator('iframe').locator('body').textContent()
  await page.close()
  return text
}

async function serveShop(cookie: CookieOptions, sessions = newSessions().sessions) {
  const slow = { reached: gate(), opened: gate() }
  const app = express()
  app.use(expressSession(sessions, { cookie }))
  app.get('/visit', async (req, res) => void res.send(String(await sessionOf(req, sessions).increment('visits'))))
  app.get('/whoami', async (req, res) => void res.send((await sessionOf(req, sessions).get('username')) ?? 'nobody'))
  app.get(['/login', '/whoami/login'], async (req, res) => {
    await sessionOf(req, sessions).regenerate()
    await sessionOf(req, sessions).set('username', 'ada')
    res.send()
  })
  app.get('/logout', async (req, res) => {
    await sessionOf(req, sessions).destroy()
    res.send()
  })
  app.get('/slow-write', async (req, res) => {
    slow.reached.open()
    await slow.opened.promise
    const error = await sessionOf(req, sessions)
      .set('username', 'late')
      .catch((thrown) => thrown)
    res.send(error?.code)
  })
  app.get('/frame', (req, res) => {
    res.send(`<iframe src="https://www.shop.test:${req.socket.localPort}/visit"></iframe>`)
  })
  const server = createServer(credentials, app).listen(0, '127.0.0.1')
  running.push(server)
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, slow, sessions }
}

function makeCertificate(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'fieldwise-'))
  const key = join(folder, 'key.pem')
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  try {
    const rest = ['-nodes', '-days', '1', '-subj', '/CN=shop.test', '-keyout', key]
    const cert = execFileSync('openssl', ['req', '-x509', ...curve, ...rest], { stdio: ['ignore', 'pipe', 'ignore'] })
    return { key: readFileSync(key, 'utf8'), cert: cert.toString() }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
