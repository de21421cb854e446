import type { FieldwiseError } from 'fieldwise'
import memjs from 'memjs'
import { describe, expect, test } from 'vitest'
import { type BinaryReply, binaryReply } from '../../../../../../test/support/scripted-server.js'
import { type Bytes, Outbox } from '../../connection/outbox.js'
import { ProtocolError } from '../../connection/protocol.js'
import { BinaryCommand, logsIn, type Question, succeeds, succeedsIfKnown } from './command.js'
import { MemjsClient } from './memjs-client.js'
import { Opcode } from './reply.js'

const gone = new ProtocolError('gone') as unknown as FieldwiseError
const statistics: Question = { opcode: Opcode.stat, key: 'settings', judge: succeeds }

/** A command, and what it was answered with. */
function ask(question: Question) {
  const outcomes: unknown[] = []
  const command = new BinaryCommand(new MemjsClient(), question, 1, {
    resolve: (replies, at) => outcomes.push([replies.map((reply) => `${reply.key} ${reply.val}`), at]),
    reject: (error) => outcomes.push(error),
  })
  return { command, outcomes }
}

/** Sends the command and has it read one reply after another. */
function answer(command: BinaryCommand, question: Question, ...replies: BinaryReply[]): readonly Bytes[] {
  const out = new Outbox()
  command.encode(out)
  for (const reply of replies) {
    const bytes = binaryReply({ word: String(question.opcode), opaque: 1 } as never, reply)
    expect(command.read(bytes, 0)).toBe(bytes.length)
  }
  return out.parts
}

describe('a command of the binary protocol', () => {
  test('leaves as memjs builds it and is answered once, with its reply', () => {
    const version: Question = { opcode: Opcode.version, judge: succeeds }
    const { command, outcomes } = ask(version)
    const out = answer(command, version, { value: '1.6.18' })
    expect(out).toEqual([memjs.Utils.makeRequestBuffer(Opcode.version, '', '', '', 1).toString('latin1')])
    expect([command.complete, command.settled]).toEqual([true, false])
    command.settle(7)
    command.settle(8)
    command.fail('unanswered', gone)
    expect(outcomes).toEqual([[[' 1.6.18'], 7]])
    expect(command.settled).toBe(true)
  })

  test('for statistics is answered with all replies up to the empty one', () => {
    const { command, outcomes } = ask(statistics)
    answer(command, statistics, { key: 'a', value: '1' }, { key: 'b', value: '2' })
    expect(command.complete).toBe(false)
    command.read(binaryReply({ word: String(Opcode.stat), opaque: 1 } as never, {}), 0)
    expect(command.complete).toBe(true)
    command.settle(7)
    expect(outcomes).toEqual([[['a 1', 'b 2', ' '], 7]])
  })

  test.each(['sent', 'not sent'])('that fails when it is %s is answered once, with the error', (when) => {
    const { command, outcomes } = ask(statistics)
    expect(command.complete).toBe(false)
    if (when === 'sent') answer(command, statistics)
    command.fail('unanswered', gone)
    command.fail('unanswered', gone)
    command.settle(7)
    expect(outcomes).toEqual([gone])
    expect(command.settled).toBe(true)
  })

  test('takes no statistics without end', () => {
    const { command } = ask(statistics)
    answer(command, statistics)
    const line = binaryReply({ word: String(Opcode.stat), opaque: 1 } as never, { key: 'a', value: '1' })
    for (let count = 0; count < 4_096; count++) command.read(line, 0)
    expect(() => command.read(line, 0)).toThrow(/without end/)
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
