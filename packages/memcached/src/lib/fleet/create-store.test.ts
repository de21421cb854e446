import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Memcached } from '../../../../../test/support/memcached.js'

const built = fileURLToPath(new URL('../../../dist/index.js', import.meta.url))

/** Runs a program that uses the built package, and gives what it printed and how it ended. */
async function run(program: string, args: readonly string[], limit = 15_000): Promise<{ output: string; code: number | null }> {
  const source = `import { memcachedStore } from ${JSON.stringify(built)}; const [server, protocol] = process.argv.slice(1); ${program}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source, ...args], { timeout: limit, killSignal: 'SIGKILL' })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    output += chunk
  })
  const [code] = await once(child, 'exit')
  return { output, code }
}

const flight = `
  const store = memcachedStore(server, { protocol, timeout: '5s' })
  const sid = store.place('00000000-0000-4000-8000-000000000000')
  const { answers } = await store.flight(sid, [{ op: 'get', key: sid + ':a' }], Infinity)
  console.log(answers[0].result)
`

describe.each(['binary', 'meta'])('a process with a %s store', (protocol) => {
  test('ends after close(), and without it too once nothing is under way', async () => {
    await using server = await Memcached.start()
    for (const ending of ['await store.close()', '']) {
      expect(await run(`${flight}; ${ending}`, [server.address, protocol])).toEqual({ output: 'missing\n', code: 0 })
    }
  })

  test('ends after close() with a request in flight to a server that hangs, which is settled', async () => {
    await using server = await Memcached.start()
    const program = `${flight}
      const { readdirSync, readFileSync } = await import('node:fs')
      const threads = '/proc/' + process.argv[3] + '/task/'
      const isStopped = () => readdirSync(threads).every((thread) => /\\) T /.test(readFileSync(threads + thread + '/stat', 'latin1')))
      process.kill(Number(process.argv[3]), 'SIGSTOP')
      while (!isStopped()) await new Promise((resolve) => setTimeout(resolve, 1))
      const hung = store.flight(sid, [{ op: 'get', key: sid + ':a' }], Infinity)
      await new Promise((resolve) => setTimeout(resolve, 50))
      await store.close()
      const [answer] = (await hung).answers
      console.log(answer.result, answer.error.code)
      process.kill(Number(process.argv[3]), 'SIGCONT')`
    const result = await run(program, [server.address, protocol, String(server.pid)])
    expect(result).toEqual({ output: 'missing\nunanswered CLOSED\n', code: 0 })
  })

  test('stays alive for an answer that is under way', async () => {
    await using server = await Memcached.start()
    const program = `
      const store = memcachedStore(server, { protocol, timeout: '5s' })
      const sid = store.place('00000000-0000-4000-8000-000000000000')
      store.flight(sid, [{ op: 'get', key: sid + ':a' }], Infinity).then(({ answers }) => console.log(answers[0].result))`
    expect(await run(program, [server.address, protocol])).toEqual({ output: 'missing\n', code: 0 })
  })

  test('does not connect, nor stay alive, for a store that is not used', async () => {
    const program = "memcachedStore('10.255.255.1', { protocol }); console.log('made')"
    expect(await run(program, ['-', protocol])).toEqual({ output: 'made\n', code: 0 })
  })
})
