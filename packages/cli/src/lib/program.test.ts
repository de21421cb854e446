import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { fieldwise } from '../testing/command-line.js'
import { commands } from './commands.js'

const names = ['doctor', 'inspect', 'race', 'key', 'revoke']

describe('help', () => {
  test('lists every command', async () => {
    const { code, output } = await fieldwise(['--help'])
    expect(code).toBe(0)
    for (const name of names) expect(output).toMatch(new RegExp(`^ {2}${name} .*\\S$`, 'm'))
    expect(commands.length).toBeGreaterThanOrEqual(names.length)
  })

  test.each(names)('of %s shows options and examples', async (name) => {
    const { code, output } = await fieldwise([name, '--help'])
    expect(code).toBe(0)
    expect(output).toContain('--json')
    expect(output).toMatch(new RegExp(`\nExamples:\n.*\\$.*fieldwise ${name}`))
  })
})

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(await fieldwise(['--version'])).toEqual({ code: 0, output: `${version}\n`, said: '' })
})

describe('what is not understood ends with 2 and says so:', () => {
  test.each([
    ['no command', [], /^Usage: fieldwise/],
    ['an unknown command', ['docter'], /unknown command 'docter'\n\(Did you mean doctor\?\)/],
    ['an unknown option', ['doctor', '--jsn'], /unknown option '--jsn'/],
    ['an argument too many', ['key', 'more'], /too many arguments/],
    ['an argument too few', ['inspect', '127.0.0.1'], /Give either the id of a session, or --user/],
    ['an address that is none', ['doctor', 'cache:port'], /'cache:port' is not the address of a server/],
    ['a protocol that is none', ['doctor', '--protocol', 'udp'], /Allowed choices are binary, meta/],
    ['a duration that is none', ['doctor', '--timeout', '5'], /A duration is a number and a unit/],
    ['an idle time that is none', ['doctor', '--idle', 'long'], /A duration is a number and a unit/],
    ['a number that is none', ['race', '--workers', '0'], /whole number, 1 or more/],
    ['a file that is not there', ['doctor', '--ca', '/nowhere/ca.pem'], /Cannot read the file of --ca \(ENOENT\)/],
    ['a name for one server only', ['doctor', 'a=10.0.0.1,10.0.0.2'], /Name all servers .* or none/],
    ['a password without a username', ['doctor', '--password', 'hunter2'], /go together/],
  ])('%s', async (_, args, what) => {
    const { code, output, said } = await fieldwise(args)
    expect(said).toMatch(what)
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(said).not.toMatch(/\n {4}at |hunter2/)
  })
})

test('errors repeat neither secrets nor what may be a misspelt password', async () => {
  const secret = randomBytes(32).toString('base64url')
  const token = `${randomUUID()}~abcd.${secret}`
  for (const args of [[token], ['key', token], ['doctor', `--pasword=hunter2`], ['inspect', `${token},127.0.0.1`, token]]) {
    const { code, said } = await fieldwise(args)
    expect(code).toBe(2)
    expect(said).not.toContain(secret)
    expect(said).not.toContain('hunter2')
  }
})
