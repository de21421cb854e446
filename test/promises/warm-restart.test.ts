import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createSessions } from 'fieldwise'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { freePorts } from '../support/free-port.js'

const guide = new URL('../../packages/memcached/guides/running-a-fleet.md', import.meta.url)
const run = promisify(execFile)

test('sessions survive a restart by the script of the guide, three times in a row', async () => {
  const [start, restart] = scripts()
  const [port] = await freePorts(1)
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fieldwise-warm-'))
  const pidFile = join(folder, 'pid')
  const sh = (script: string) => run('sh', ['-ec', here(script, folder, port as number)])
  try {
    await sh(start)
    const store = memcachedStore(`127.0.0.1:${port}`, { timeout: '5s', retryInterval: '50ms' })
    await using sessions = createSessions({ schema: z.object({ visits: z.int().default(0) }), store })
    // The daemon returns before it listens.
    const isUp = () => expect.poll(() => sessions.check().then(() => 'up', String), { timeout: 20_000 }).toBe('up')
    await isUp()
    const session = await sessions.create({ visits: 0 })
    for (let restarts = 1; restarts <= 3; restarts++) {
      await sh(restart)
      await isUp()
      expect(await session.increment('visits')).toBe(restarts)
    }
  } finally {
    // Written by the daemon, some time after the script that starts it has ended.
    await expect.poll(() => existsSync(pidFile), { timeout: 20_000 }).toBe(true)
    process.kill(Number(readFileSync(pidFile, 'latin1')), 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})

/** How the guide starts memcached, and how it starts it again. */
function scripts(): [string, string] {
  const blocks = [...readFileSync(guide, 'utf8').matchAll(/```sh\n([^`]*)```/g)].map((match) => match[1] as string)
  const [start, restart] = blocks.filter((block) => block.includes('memcached -d'))
  return [start as string, restart as string]
}

/** With this test's own address and files. memcached refuses to run as root unless told to. */
function here(script: string, folder: string, port: number): string {
  const asRoot = process.getuid?.() === 0 ? ' -u root' : ''
  return script
    .replaceAll('/run/memcached.pid', join(folder, 'pid'))
    .replaceAll('/dev/shm/memcached.store', join(folder, 'store'))
    .replaceAll('-m 1024 -l 10.0.0.5 -p 11211', `-m 64 -l 127.0.0.1 -p ${port} -U 0${asRoot}`)
}
