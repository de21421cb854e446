import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { freePorts } from '../../../../../test/support/free-port.js'
import { Memcached, textCommand } from '../../../../../test/support/memcached.js'
import { type Ended, fieldwise } from '../../testing/command-line.js'
import type { Frame } from '../inspector/frame.js'

let memcached: Memcached
beforeAll(async () => {
  memcached = await Memcached.start()
})
afterAll(() => memcached[Symbol.asyncDispose]())

describe('fieldwise inspector', () => {
  test('shows the page with the servers until Ctrl-C', async () => {
    const { url, said, end } = await start(['--port', '0', `a=${memcached.address}`])
    expect(said).toContain('mount the inspector in the app')
    expect(url).toMatch(/^http:\/\/localhost:\d+\/$/)
    expect(await (await fetch(url)).text()).toContain('<title>Fieldwise inspector</title>')
    const frame = await frameWith(url, ({ fleet }) => fleet.servers[0]?.health === 'answers')
    expect(frame.source.kind).toBe('servers')
    expect(frame.fleet.servers).toMatchObject([{ label: 'a', address: memcached.address }])
    expect((await end()).code).toBe(0)
    await expect(once(connect(Number(new URL(url).port), '127.0.0.1'), 'connect')).rejects.toThrow('ECONNREFUSED')
  })

  test('prints its address as JSON', async () => {
    const { said, url, end } = await start(['--port', '0', '--json', memcached.address])
    expect(JSON.parse(said)).toEqual({ url })
    await end()
  })

  test('--demo shows visitors of its own, and leaves nothing of them behind', async () => {
    const { url, said, end } = await start(['--port', '0', '--demo', memcached.address])
    expect(said).toContain('demo traffic')
    const frame = await frameWith(url, ({ totals }) => totals.writes > 20)
    expect(frame.source.kind).toBe('demo')
    expect(frame.totals.sessions).toBeGreaterThan(3)
    expect(frame.sessions.every(({ prefix }) => prefix === 'fieldwise-demo:')).toBe(true)
    expect(await items()).toBeGreaterThan(3)
    await end()
    expect(await items()).toBe(0)
  })

  test('is refused in production, unless asked for', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    const refused = await fieldwise(['inspector', '--port', '0', memcached.address])
    expect([refused.code, refused.said]).toEqual([2, expect.stringContaining('production')])
    const { url, end } = await start(['--port', '0', '--production', memcached.address])
    expect((await fetch(url)).status).toBe(200)
    await end()
    vi.unstubAllEnvs()
  })

  test('says that a port is in use, and how to choose another', async () => {
    const { url, end } = await start(['--port', '0', memcached.address])
    const { code, said } = await fieldwise(['inspector', '--port', new URL(url).port, memcached.address])
    expect([code, said]).toEqual([3, expect.stringMatching(/is in use; choose another one with --port/)])
    await end()
  })

  test.each([
    ['--port', '70000'],
    ['--port', '-1'],
    ['--port', '80a'],
  ])('refuses %s %s', async (...args) => {
    expect((await fieldwise(['inspector', ...args, memcached.address])).code).toBe(2)
  })

  test('shows a server that is not there as silent', async () => {
    const [port] = (await freePorts(1)) as [number]
    const { url, end } = await start(['--port', '0', `127.0.0.1:${port}`])
    await frameWith(url, ({ fleet }) => fleet.servers[0]?.health === 'silent')
    await end()
  })
})

/** Runs the command until it has said where its page is. */
async function start(args: readonly string[]): Promise<{ url: string; said: string; end: () => Promise<Ended> }> {
  let said = ''
  let isSaid: (url: string) => void
  const url = new Promise<string>((resolve) => {
    isSaid = resolve
  })
  const ended = fieldwise(['inspector', ...args], {
    write(text) {
      said += text
      isSaid(/http:[^\s"]+/.exec(text)?.[0] ?? '')
    },
  })
  const failed = ended.then((early) => Promise.reject(new Error(`It ended: ${early.said}`)))
  const where = await Promise.race([url, failed])
  return {
    url: where,
    said,
    end() {
      failed.catch(() => {})
      process.emit('SIGTERM')
      return ended
    },
  }
}

/** The first frame that is as wanted. */
async function frameWith(url: string, isWanted: (frame: Frame) => boolean): Promise<Frame> {
  for (;;) {
    const { body } = await fetch(`${url}events`)
    const reader = (body as ReadableStream<Uint8Array>).getReader()
    const { value } = await reader.read()
    await reader.cancel()
    const frame = JSON.parse(new TextDecoder().decode(value).replace(/^data: /, ''))
    if (isWanted(frame)) return frame
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function items(): Promise<number> {
  return Number(/curr_items (\d+)/.exec(await textCommand(memcached, 'stats', 'END\r\n'))?.[1])
}
