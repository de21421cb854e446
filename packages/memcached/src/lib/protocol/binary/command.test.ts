import type { FieldwiseError } from 'fieldwise'
import memjs from 'memjs'
import { describe, expect, test } from 'vitest'
import { type BinaryReply, binaryReply } from '../../../../../../test/support/scripted-server.js'
import { type Bytes, Outbox } from '../../connection/outbox.js'
import { WireError } from '../../connection/protocol.js'
import { BinaryCommand, type Command, logsIn, succeeds, succeedsIfKnown } from './command.js'
import { MemjsClient } from './memjs-client.js'
import { Opcode } from './reply.js'

const gone = new WireError('gone') as unknown as FieldwiseError
const statistics: Command = { opcode: Opcode.stat, key: 'settings', judge: succeeds }

/** A command, and what it was answered with. */
function ask(command: Command) {
  const outcomes: unknown[] = []
  const exchange = new BinaryCommand(new MemjsClient(), command, 1, {
    resolve: (replies, at) => outcomes.push([replies.map((reply) => `${reply.key} ${reply.val}`), at]),
    reject: (error) => outcomes.push(error),
  })
  return { exchange, outcomes }
}

/** Sends the command and has it read one reply after another. */
function answer(exchange: BinaryCommand, command: Command, ...replies: BinaryReply[]): readonly Bytes[] {
  const out = new Outbox()
  exchange.encode(out)
  for (const reply of replies) {
    const bytes = binaryReply({ word: String(command.opcode), opaque: 1 } as never, reply)
    expect(exchange.read(bytes, 0)).toBe(bytes.length)
  }
  return out.parts
}

describe('a command of the binary protocol', () => {
  test('leaves as memjs builds it and is answered once, with its reply', () => {
    const version: Command = { opcode: Opcode.version, judge: succeeds }
    const { exchange, outcomes } = ask(version)
    const out = answer(exchange, version, { value: '1.6.18' })
    expect(out).toEqual([memjs.Utils.makeRequestBuffer(Opcode.version, '', '', '', 1).toString('latin1')])
    expect([exchange.complete, exchange.settled]).toEqual([true, false])
    exchange.settle(7)
    exchange.settle(8)
    exchange.fail('open', gone)
    expect(outcomes).toEqual([[[' 1.6.18'], 7]])
    expect(exchange.settled).toBe(true)
  })

  test('for statistics is answered with all replies up to the empty one', () => {
    const { exchange, outcomes } = ask(statistics)
    answer(exchange, statistics, { key: 'a', value: '1' }, { key: 'b', value: '2' })
    expect(exchange.complete).toBe(false)
    exchange.read(binaryReply({ word: String(Opcode.stat), opaque: 1 } as never, {}), 0)
    expect(exchange.complete).toBe(true)
    exchange.settle(7)
    expect(outcomes).toEqual([[['a 1', 'b 2', ' '], 7]])
  })

  test.each(['sent', 'not sent'])('that fails when it is %s is answered once, with the error', (when) => {
    const { exchange, outcomes } = ask(statistics)
    expect(exchange.complete).toBe(false)
    if (when === 'sent') answer(exchange, statistics)
    exchange.fail('open', gone)
    exchange.fail('open', gone)
    exchange.settle(7)
    expect(outcomes).toEqual([gone])
    expect(exchange.settled).toBe(true)
  })

  test('takes no statistics without end', () => {
    const { exchange } = ask(statistics)
    answer(exchange, statistics)
    const line = binaryReply({ word: String(Opcode.stat), opaque: 1 } as never, { key: 'a', value: '1' })
    for (let count = 0; count < 4_096; count++) exchange.read(line, 0)
    expect(() => exchange.read(line, 0)).toThrow(/without end/)
  })
})

test('a status is judged by what was asked', () => {
  for (const judge of [succeeds, succeedsIfKnown, logsIn]) {
    expect(() => judge(0)).not.toThrow()
    expect(() => judge(0x84)).toThrow(/status 0x84/)
  }
  expect(() => succeeds(0x81)).toThrow(/does not know a command/)
  expect(() => succeedsIfKnown(0x81)).not.toThrow()
  expect(() => succeeds(0x20)).toThrow(/asks for a password/)
  expect(() => logsIn(0x20)).toThrow(/refuses this username and password/)
})
