import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createSessions, type WriteEvent } from 'fieldwise'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { accessibilityFaults, complaintsOf, launchChromium, picture } from '../../../test/support/chromium.js'
import { Memcached } from '../../../test/support/memcached.js'
import { sized } from '../../../test/support/scale.js'
import type { Inspector } from './inspector.js'
import { createInspector } from './lib/inspector/create.js'
import type { Source } from './lib/inspector/frame.js'
import { fieldEvent, flightEvent, operationEvent, sessionEvent, tell, writeEvent } from './testing/events.js'
import { labels, tellFourMinutes } from './testing/traffic.js'

const screenshots = fileURLToPath(new URL('../screenshots/', import.meta.url))
const widths = sized([400, 640, 900, 1_280, 1_600], [400, 1_600])

let chromium: Browser
let browser: BrowserContext
let complaints: string[]
let inspector: Inspector
let server: Server

beforeAll(async () => {
  mkdirSync(screenshots, { recursive: true })
  chromium = await launchChromium()
})
afterAll(() => chromium.close())
beforeEach(async () => {
  browser = await chromium.newContext({ viewport: { width: 1_280, height: 900 } })
  complaints = complaintsOf(browser)
})
afterEach(async () => {
  await browser.close()
  await stopServer()
  inspector.close()
  expect(complaints).toEqual([])
})

describe('its numbers', () => {
  test('are what the sessions did', async () => {
    await using sessions = createSessions({ schema })
    const address = await serve()
    const written = recordWrites()
    const session = await sessions.create()
    await session.set('username', 'ada')
    await Promise.all([1, 2, 3, 4, 5].map(() => session.increment('visits')))
    await session.set('cart', ['bread', 'butter'])
    await session.delete('username')
    await sessions.open(`${session.id}.${'A'.repeat(43)}`)
    written.stop()
    for (let device = 0; device < 2; device++) await sessions.create({}, { user: 'ada' })
    await sessions.user('ada').count()
    await sessions.user('ada').end()
    for (const [event, times] of [
      ['conflict', 3],
      ['lost', 1],
      ['unknown', 2],
      ['unavailable', 4],
    ] as const) {
      for (let n = 0; n < times; n++) tell(`fieldwise:${event}`, fieldEvent({ sid: 'other', store: 'memory', server: undefined }))
    }

    const page = await open(address)
    expect(await figures(page)).toEqual({
      operations: 14,
      userCalls: 2,
      writes: 4,
      conflicts: 3,
      combined: 4,
      ended: 2,
      lost: 1,
      forged: 1,
      unknown: 2,
      unavailable: 4,
    })
    const row = page.locator(`tr[data-sid="${session.id}"]`)
    const cells = (await row.locator('td').allTextContents()).slice(0, -1)
    expect(cells).toEqual(['live, 1 forged token', 'memory', '9', '0', `${written.stored()} B`])
    await row.getByRole('button').click()
    for (const [field, { bytes, deleted }] of written.last) {
      expect(await page.locator(`.fields [data-field=${field}] .size`).textContent()).toBe(deleted ? 'deleted' : `${bytes} B`)
    }
  })

  test('are the same in the tables that stand for the plots', async () => {
    const address = await serveFourMinutes()
    const page = await open(address)
    for (const summary of await page.locator('summary').all()) await summary.click()
    const totals = await figures(page)
    expect(totals.operations).toBeGreaterThan(1_000)
    expect(await columnSum(page, 'Calls and writes', 1)).toBe(totals.operations)
    expect(await columnSum(page, 'Calls and writes', 2)).toBe(totals.writes)
    expect(await columnSum(page, 'Conflicts and combined updates', 1)).toBe(totals.conflicts)
    expect(await columnSum(page, 'Conflicts and combined updates', 2)).toBe(totals.combined)
    expect(await columnSum(page, 'Timeline', 1)).toBe(totals.writes)
    expect(await columnSum(page, 'Timeline', 2)).toBe(totals.combined)
  })

  test('go on while the page is open, and stand still while it is paused', async () => {
    const page = await open(await serve())
    tell('fieldwise:operation', operationEvent())
    await expect.poll(async () => (await figures(page)).operations).toBe(1)
    await page.getByRole('button', { name: 'Pause' }).click()
    tell('fieldwise:operation', operationEvent())
    tell('fieldwise:write', writeEvent())
    await nextFrames(page, 2)
    expect(await figures(page)).toMatchObject({ operations: 1, writes: 0 })
    await page.getByRole('button', { name: 'Pause' }).click()
    await expect.poll(async () => (await figures(page)).operations).toBe(2)
  })

  test('of a session are there as soon as it is opened, also while the page is paused', async () => {
    const address = await serve()
    tell('fieldwise:write', writeEvent({ field: 'cart', bytes: 100 }))
    const page = await open(address)
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.locator('.opener').click()
    expect(await page.locator('.fields [data-field=cart] .size').textContent()).toBe('100 B')
  })
})

describe('it looks right', () => {
  const everyLook = [
    { name: 'light', colorScheme: 'light', width: 1_280 },
    { name: 'dark', colorScheme: 'dark', width: 1_280 },
    { name: 'a phone', colorScheme: 'light', width: 400 },
  ] as const
  // Both colour schemes and both widths are among the last two.
  const looks = sized(everyLook, everyLook.slice(1))

  test('in both colour schemes and both widths, and axe-core finds nothing wrong with it', async () => {
    const page = await open(await serveFourMinutes())
    await page.locator('.opener').nth(1).click()
    const folded = await page.locator('summary').all()
    const faults: Record<string, string[]> = {}
    for (const { name, colorScheme, width } of looks) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 900 })
      await nextFrames(page, 2)
      await picture(page, `${screenshots}${name}.png`)
      for (const summary of folded) await summary.click()
      await nextFrames(page, 2)
      faults[name] = await accessibilityFaults(page)
      for (const summary of folded) await summary.click()
    }
    expect(Object.values(faults).flat(), JSON.stringify(faults, null, 2)).toEqual([])
  })

  test('at every width from a phone to a large screen: nothing sticks out', async () => {
    const address = await serveFourMinutes()
    tell(
      'fieldwise:write',
      writeEvent({ prefix: 'a-prefix-of-some-length:', field: 'aFieldNameThatIsAsLongAsAnyFieldNameMayEverBeWhichIsSixtyFour' }),
    )
    const page = await open(address)
    for (const opener of await page.locator('.opener').all()) await opener.click()
    for (const width of widths) {
      await page.setViewportSize({ width, height: 900 })
      await nextFrames(page, 2)
      expect([width, await page.evaluate<number>('document.documentElement.scrollWidth')]).toEqual([width, width])
    }
  })

  test('before anything has happened', async () => {
    const page = await open(await serve())
    expect(await page.locator('#sessions-lead').textContent()).toBe('None seen yet.')
    expect(await accessibilityFaults(page)).toEqual([])
  })

  test('in another colour scheme, the plots are drawn anew', async () => {
    const address = await serveFourMinutes()
    const page = await open(address)
    const canvas = page.locator('#plots canvas').first()
    const colours = async () => canvas.evaluate((drawn) => (drawn as HTMLCanvasElement).toDataURL())
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await colours()
    await page.emulateMedia({ colorScheme: 'dark' })
    await expect.poll(colours).not.toBe(light)
  })
})

describe('with a keyboard and a screen reader', () => {
  test('everything can be reached and used', async () => {
    const address = await serve()
    tell('fieldwise:write', writeEvent())
    const page = await open(address)
    await page.locator('.opener').waitFor()
    const stops: string[] = []
    for (let stop = ''; ; stops.push(stop)) {
      await page.keyboard.press('Tab')
      stop = await page.evaluate(() =>
        document.activeElement === document.body ? '' : String(document.activeElement?.textContent),
      )
      if (stop === '') break
    }
    expect(stops).toEqual([
      'Skip to the figures',
      'Pause',
      'Figures of Calls and writes',
      'Figures of Conflicts and combined updates',
      'Figures of Latency of calls',
      'Figures of the timeline',
      'The latest writes',
      '11111111~ab12',
    ])
    await page.locator('.opener').focus()
    await page.keyboard.press('Enter')
    await page.locator('.fields [data-field=cart]').waitFor()
    await nextFrames(page, 2)
    expect(await page.evaluate('document.activeElement.ariaExpanded')).toBe('true')
  })

  test('every plot has a name and its figures beside it', async () => {
    const page = await open(await serve())
    const plots = page.getByRole('figure')
    expect(await plots.count()).toBe(4)
    for (const plot of await plots.all()) {
      expect(await plot.getByRole('img').getAttribute('aria-label')).toMatch(/Figures below\.$/)
      expect(await plot.locator('details table caption').textContent()).not.toBe('')
    }
  })

  test('traffic is not read aloud; what matters is, once', async () => {
    const page = await open(await serve())
    await page.evaluate(
      `window.heard = []; new MutationObserver(() => heard.push(announcer.textContent)).observe(announcer, { childList: true, characterData: true, subtree: true })`,
    )
    const heard = async () => page.evaluate<string[]>('window.heard')
    for (let frame = 0; frame < 3; frame++) {
      for (let n = 0; n < 20; n++) {
        tell('fieldwise:operation', operationEvent())
        tell('fieldwise:flight', flightEvent())
        tell('fieldwise:write', writeEvent())
      }
      await nextFrames(page, 1)
    }
    expect(await heard()).toEqual([])
    tell('fieldwise:unavailable', sessionEvent())
    await expect.poll(heard).toEqual(['Server ab12 is silent.'])
    tell('fieldwise:flight', flightEvent())
    await expect.poll(heard).toEqual(['Server ab12 is silent.', 'Server ab12 answers again.'])
  })
})

test('a name is text, whatever is in it', async () => {
  const address = await serve()
  const markup = '<img src=x onerror=alert(1)>'
  tell('fieldwise:flight', flightEvent({ server: markup }))
  tell('fieldwise:write', writeEvent({ field: markup, sid: markup, prefix: markup }))
  const page = await open(address)
  for (const button of await page.locator('summary, .opener').all()) await button.click()
  await nextFrames(page, 2)
  expect(await page.locator('main img').count()).toBe(0)
  expect(await page.locator('#rows').textContent()).toContain(markup)
})

test('the fleet shows which server is silent, and what each holds', async () => {
  const address = await serveFourMinutes()
  const page = await open(address)
  const cards = page.locator('.server')
  expect(await cards.count()).toBe(labels.length)
  const words = await cards.evaluateAll((all) =>
    all.map((card) => [(card as HTMLElement).dataset.server, card.querySelector('.word')?.textContent]),
  )
  expect(Object.fromEntries(words as [string, string][])).toEqual({
    [labels[0]]: 'answers',
    [labels[1]]: 'answers',
    [labels[2]]: 'silent',
  })
  const shares = await cards.locator('dd:first-of-type').first().textContent()
  expect(shares).toMatch(/^\d+ %$/)
  expect(await page.locator('.map > div').count()).toBe(labels.length)
})

describe('of the command, without sessions to see,', () => {
  test('it shows the servers, says so, and notices when one goes', async () => {
    await using one = await Memcached.start()
    await using two = await Memcached.start()
    const page = await open(await serve('servers', { one: one.address, two: two.address }))
    await page.getByText('It sees the servers, not the sessions of your app').waitFor()
    expect(await page.getByRole('heading', { level: 2 }).allTextContents()).toEqual(['Fleet'])
    await page.locator('[data-server=two][data-health=answers]').waitFor()
    expect(await page.locator('[data-server=one] .facts').textContent()).toContain('memcached1.6')
    expect(await accessibilityFaults(page)).toEqual([])
    await two.stop()
    await page.locator('[data-server=two][data-health=silent]').waitFor()
    await expect.poll(() => page.getByRole('status').textContent()).toBe('Server two is silent.')
    await picture(page, `${screenshots}servers.png`)
  })
})

test('a connection that is lost is said, and comes back', async () => {
  const address = await serve()
  const page = await open(address)
  const { port } = server.address() as AddressInfo
  await stopServer()
  await page.locator('#link[data-state=lost]').waitFor()
  await startServer(port)
  await page.locator('#link[data-state=live]').waitFor()
  // The browser itself complains of the server that is not there.
  complaints.splice(0, Number.POSITIVE_INFINITY, ...complaints.filter((complaint) => !complaint.includes('net::ERR_')))
})

const schema = z.object({
  username: z.string(),
  visits: z.int().default(0),
  cart: z.array(z.string()).default([]),
})

async function serve(kind: Source['kind'] = 'app', servers?: Record<string, string>): Promise<string> {
  return listen(createInspector(undefined, servers === undefined ? {} : { servers }, kind, 100))
}

/** An inspector that has been watching for four minutes. */
async function serveFourMinutes(): Promise<string> {
  let watching: Inspector | undefined
  tellFourMinutes(() => {
    watching = createInspector(undefined, {}, 'app', 100)
  })
  return listen(watching as Inspector)
}

async function listen(shown: Inspector): Promise<string> {
  inspector = shown
  await startServer(0)
  return `http://localhost:${(server.address() as AddressInfo).port}/fieldwise/`
}

async function startServer(port: number): Promise<void> {
  server = createServer(inspector.middleware).listen(port, '127.0.0.1')
  await once(server, 'listening')
}

async function stopServer(): Promise<void> {
  if (!server.listening) return
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}

/** With the first frame on it. */
async function open(address: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(address)
  await page.locator('#figures .figure').first().waitFor({ state: 'attached' })
  return page
}

/** Waits until the page has shown more of what comes once a second. */
async function nextFrames(page: Page, frames: number): Promise<void> {
  await page.evaluate(
    `new Promise((resolve) => {
      let left = ${frames}
      const events = new EventSource('events')
      events.onmessage = () => { if (--left < 0) { events.close(); requestAnimationFrame(() => requestAnimationFrame(resolve)) } }
    })`,
  )
}

/** All totals by name. */
async function figures(page: Page): Promise<Record<string, number>> {
  const entries = await page
    .locator('.figure')
    .evaluateAll((all) => all.map((it) => [(it as HTMLElement).dataset.figure, Number((it as HTMLElement).dataset.total)]))
  return Object.fromEntries(entries as [string, number][])
}

/** Of the table beside a plot. */
async function columnSum(page: Page, plot: string, column: number): Promise<number> {
  const figure = page.getByRole('figure').filter({ has: page.getByRole('heading', { name: plot }) })
  const texts = await figure.locator(`tbody tr > :nth-child(${column + 1})`).allTextContents()
  return texts.reduce((sum, text) => sum + Number(text.replaceAll(',', '')), 0)
}

/** What the core itself says of writes. */
function recordWrites() {
  const last = new Map<string, WriteEvent>()
  const onWrite = (event: unknown) => last.set((event as WriteEvent).field, event as WriteEvent)
  subscribe('fieldwise:write', onWrite)
  return {
    last,
    stored: () => [...last.values()].reduce((sum, { bytes, deleted }) => sum + (deleted ? 0 : bytes), 0),
    stop: () => unsubscribe('fieldwise:write', onWrite),
  }
}
