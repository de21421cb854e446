import type { FieldwiseError } from 'fieldwise'
import { describe, expect, test } from 'vitest'
import { Outbox } from '../../connection/outbox.js'
import { ForeignLine, ProtocolError } from '../../connection/protocol.js'
import { loginLine, MetaCommand, noopLine, probeLine, statsLine, type TakeLine, verdictLine, versionLine } from './command.js'

const gone = new ProtocolError('gone') as unknown as FieldwiseError

/** A command for statistics, and what it was answered with. */
function stats() {
  const outcomes: unknown[] = []
  const command = new MetaCommand('stats\r\n', statsLine, 1, {
    resolve: (lines, at) => outcomes.push([lines, at]),
    reject: (error) => outcomes.push(error),
  })
  return { command, outcomes }
}

describe('a command of the meta protocol', () => {
  test('leaves as it is and is answered once, with all lines up to the last', () => {
    const { command, outcomes } = stats()
    const out = new Outbox()
    command.encode(out)
    expect(out.parts).toEqual(['stats\r\n'])
    const reply = Buffer.from('###STAT a 1\r\nSTAT b 2\r\nEND\r\n')
    const ends = [command.read(reply, 3)]
    expect([command.complete, command.settled]).toEqual([false, false])
    ends.push(command.read(reply, ends[0] as number), command.read(reply, 23))
    expect(ends).toEqual([13, 23, 28])
    expect(command.complete).toBe(true)
    command.settle(7)
    command.settle(8)
    command.fail('unanswered', gone)
    expect(outcomes).toEqual([[['STAT a 1', 'STAT b 2', 'END'], 7]])
    expect(command.settled).toBe(true)
  })

  test('that fails is answered once, with the error', () => {
    const { command, outcomes } = stats()
    command.fail('unanswered', gone)
    command.fail('unsent', gone)
    command.settle(7)
    expect(outcomes).toEqual([gone])
    expect(command.settled).toBe(true)
  })

  test('asks for a byte more of a line that is not all there', () => {
    const { command } = stats()
    expect(command.read(Buffer.from('###STAT'), 3)).toBe(-5)
    expect(command.read(Buffer.from('###'), 3)).toBe(-1)
    expect(command.complete).toBe(false)
  })

  test('takes lines of up to 2,048 bytes', () => {
    const line = `STAT ${'x'.repeat(2_043)}`
    expect(stats().command.read(Buffer.from(`${line}\r\n`), 0)).toBe(2_050)
    expect(stats().command.read(Buffer.from(line), 0)).toBe(-2_049)
    for (const longer of [`${line}x\r\n`, `${line}x`]) {
      expect(() => stats().command.read(Buffer.from(longer), 0)).toThrow(/does not fit the request/)
    }
  })

  test('takes no lines without end', () => {
    const { command } = stats()
    const line = Buffer.from('STAT a 1\r\n')
    for (let count = 0; count <= 4_096; count++) command.read(line, 0)
    expect(() => command.read(line, 0)).toThrow(ProtocolError)
  })
})

describe('the lines of an answer', () => {
  test.each<[TakeLine, string, boolean]>([
    [versionLine, 'VERSION 1.6.18', true],
    [statsLine, 'STAT time 1', false],
    [statsLine, 'END', true],
    [probeLine, 'EN O1', true],
    [probeLine, 'HD t-1 O1', true],
    [probeLine, 'HD t60 O1', true],
    [noopLine, 'MN', true],
    [loginLine, 'EN O1', true],
    [loginLine, 'CLIENT_ERROR unauthenticated, please log in', true],
    [verdictLine, 'STORED', true],
  ])('%o takes %j; is it the last? %s', (take, line, last) => {
    expect(take(line)).toBe(last)
  })

  test.each<[TakeLine, string, RegExp]>([
    [versionLine, 'ERROR', /does not allow/],
    [statsLine, 'RESET', /does not allow/],
    [statsLine, 'no STAT a 1', /does not allow/],
    [noopLine, 'MN O1', /does not allow/],
    [probeLine, 'no EN O1', /does not allow/],
    [probeLine, 'ERROR Too many open connections', /no connection left/],
    [loginLine, 'HTTP/1.1 400 Bad Request', /HTTP server/],
    [loginLine, 'no CLIENT_ERROR unauthenticated', /does not allow/],
  ])('%o refuses %j as what another kind of server would say', (take, line, message) => {
    expect(() => take(line)).toThrow(ForeignLine)
    expect(() => take(line)).toThrow(message)
  })

  test.each(['EN', 'HD t60', 'HD tx O1', 'EN O1 W', 'HD t6 O2', 'ERROR', 'CLIENT_ERROR bad command line format'])(
    '%j shows a meta protocol that is too old, or none',
    (line) => {
      for (const take of [probeLine, loginLine]) expect(() => take(line)).toThrow(/update memcached to 1\.6\.18/)
    },
  )

  test('anything but STORED refuses the password', () => {
    expect(() => verdictLine('CLIENT_ERROR authentication failure')).toThrow(/refuses this username and password/)
  })
})
