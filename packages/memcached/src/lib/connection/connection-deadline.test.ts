import { describe, expect, test, vi } from 'vitest'
import {
  Call,
  clocks,
  complaints,
  connection,
  connectTimeout,
  eachInItsScene,
  ended,
  facts,
  now,
  opened,
  pass,
  protocol,
  received,
  send,
  settled,
  socket,
  start,
  timeout,
} from '../../../../../test/support/connection-scene.js'
import { turn } from '../../../../../test/support/virtual-time.js'

eachInItsScene()

describe('a deadline', () => {
  test('of a call that was sent passes for it alone, and its late reply is for nobody', async () => {
    const one = await opened()
    const [late, next] = [new Call('late', { deadline: 50 }), new Call('next')]
    await send(one, late, next)
    await pass(49)
    expect(late.outcome).toBeUndefined()
    await pass(1)
    expect(late.outcome).toEqual({ fate: 'unanswered', message: 'cache-1 did not answer in time' })
    expect(next.outcome).toBeUndefined()
    received('late\nnext\n')
    expect([late.outcome?.fate, next.outcome?.settled, ended]).toEqual(['unanswered', true, []])
  })

  test('of a call that waits for the connection passes for it alone, unsent', async () => {
    const one = connection()
    const [late, next] = [new Call('late', { deadline: 50 }), new Call('next')]
    await send(one, next, late)
    await pass(50)
    expect(late.outcome).toEqual({ fate: 'unsent', message: 'cache-1 did not answer in time' })
    expect(next.outcome).toBeUndefined()
    await pass(timeout - 50)
    expect(next.outcome?.fate).toBe('unsent')
    expect(ended).toEqual([])
    await pass(connectTimeout - timeout)
    expect(ended).toHaveLength(1)
  })

  test('is kept by each call, in whatever order they come', async () => {
    const one = await opened()
    const calls = [70, 30, 50, 90].map((deadline) => new Call(`${deadline}`, { deadline }))
    await send(one, ...calls)
    const failed: number[][] = []
    for (let at = 10; at <= 90; at += 10) {
      await pass(10)
      failed.push(calls.filter((call) => call.outcome).map((call) => call.deadline))
    }
    expect(failed).toEqual([[], [], [30], [30], [30, 50], [30, 50], [70, 30, 50], [70, 30, 50], [70, 30, 50, 90]])
  })

  test('that is not a whole number of milliseconds is not looked at early', async () => {
    const one = await opened({ clocks: { ...clocks, running: () => now() + 0.5 } })
    const call = new Call('a', { deadline: 50.25 })
    await send(one, call)
    const set = vi.spyOn(globalThis, 'setTimeout')
    await pass(50)
    expect(call.outcome?.fate).toBe('unanswered')
    expect(set.mock.calls.filter(([, delay]) => delay === 0)).toEqual([])
  })

  test('that has passed gives the answers that have arrived meanwhile their turn first', async () => {
    const one = await opened()
    const call = new Call('a', { deadline: 50 })
    await send(one, call)
    vi.setSystemTime(start + 60)
    vi.advanceTimersToNextTimer()
    received('a\n')
    await turn()
    expect(call.outcome?.settled).toBe(true)
  })

  test('sets no timer where nothing waits any more', async () => {
    const one = await opened()
    await send(one, new Call('a', { deadline: 50 }))
    received('a\n')
    await pass(connectTimeout)
    expect(vi.getTimerCount()).toBe(0)
    expect(ended).toEqual([])
  })
})

describe('a connection is given up', () => {
  test('when a request that was sent has had no answer for the timeout', async () => {
    const one = await opened()
    const [a, b] = [new Call('a'), new Call('b')]
    await send(one, a)
    await pass(timeout - 1)
    await send(one, b)
    expect(ended).toEqual([])
    await pass(1)
    expect(complaints()).toEqual(['cache-1 did not answer within 400 ms'])
    expect([a.outcome?.fate, b.outcome?.fate]).toEqual(['unanswered', 'unanswered'])
  })

  test('not when only the deadlines of callers have passed', async () => {
    const one = await opened()
    await send(one, new Call('a', { deadline: 10 }), new Call('b', { deadline: 20 }))
    await pass(timeout - 1)
    expect(ended).toEqual([])
    await pass(1)
    expect(ended).toHaveLength(1)
  })

  test('not before the server has had half the timeout, where the call had lost its time to connecting', async () => {
    const one = connection()
    socket.connected()
    const call = new Call('a')
    await send(one, call)
    await pass(timeout - 1)
    protocol.greeted.resolve(facts)
    await settled()
    await turn()
    expect(socket.written).toEqual(['a\n'])
    await pass(timeout / 2 - 1)
    expect([call.outcome?.fate, ended]).toEqual(['unanswered', []])
    await pass(1)
    expect(complaints()).toEqual(['cache-1 did not answer within 400 ms'])
  })

  test('not when the answer to each request came in time, however long it goes on', async () => {
    const one = await opened()
    for (let round = 0; round < 10; round++) {
      await send(one, new Call(`${round}`))
      await pass(timeout - 1)
      received(`${round}\n`)
    }
    expect(ended).toEqual([])
  })

  test.each([
    ['what cannot be the reply', 'wrong\n', 'cache-1 sent a wrong line', undefined],
    [
      'a reply that nobody asked for',
      'a\nHTTP/1.1 400',
      'cache-1 is not memcached: an HTTP server answers on this port',
      undefined,
    ],
    ['what makes the protocol stumble', 'stumble\n', 'cache-1 sent an answer that could not be read', new RangeError('stumbled')],
  ])('when there comes %s', async (_what, bytes, message, cause) => {
    const one = await opened()
    const call = new Call('a')
    await send(one, call)
    received(bytes)
    expect(complaints()).toEqual([message])
    expect(ended[0]?.cause).toEqual(cause)
    received('a\n')
    expect(call.outcome?.fate === 'unanswered' || bytes.startsWith('a')).toBe(true)
  })

  const trust = (code: string) =>
    `shows a TLS certificate that is not trusted (${code}): give the authority that signed it as tls: { ca }`
  test.each([
    ['ECONNREFUSED', 'refuses connections: is memcached running there?'],
    ['ENOENT', 'is not there: no socket at this path'],
    ['EACCES', 'may not be used: this process has no right to this socket (memcached -a sets it)'],
    ['ENOTFOUND', 'cannot be found: its host name does not resolve'],
    ['EAI_AGAIN', 'cannot be found: its host name does not resolve'],
    ['ECONNRESET', 'closed the connection'],
    ['EPIPE', 'closed the connection'],
    [
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'shows a TLS certificate for another host name: connect by the name that it is for, or set tls: { servername }',
    ],
    ['EPROTO', 'does not speak TLS: start it with memcached -Z, or leave out tls'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'does not speak TLS: start it with memcached -Z, or leave out tls'],
    ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'does not speak TLS: start it with memcached -Z, or leave out tls'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', trust('DEPTH_ZERO_SELF_SIGNED_CERT')],
    ['UNABLE_TO_GET_CRL', trust('UNABLE_TO_GET_CRL')],
    ['UNABLE_TO_GET_ISSUER', trust('UNABLE_TO_GET_ISSUER')],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', trust('UNABLE_TO_VERIFY_LEAF_SIGNATURE')],
    ['ETIMEDOUT', 'cannot be reached (ETIMEDOUT)'],
    [undefined, 'cannot be reached (Error)'],
  ])('with what to do about a socket’s error: %s', async (code, message) => {
    await opened()
    const error = Object.assign(new Error('of the socket'), code && { code })
    socket.emit('error', error)
    expect(complaints()).toEqual([`cache-1 ${message}`])
    expect(ended[0]?.cause).toBe(error)
  })
})
