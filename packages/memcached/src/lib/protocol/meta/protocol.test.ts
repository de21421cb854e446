import { inspect } from 'node:util'
import type { Flight, StoreRequest } from 'fieldwise/store-contract'
import { describe, expect, test } from 'vitest'
import { complaint, told } from '../../../../../../test/support/flights.js'
import { Outbox } from '../../connection/outbox.js'
import { type Command, ProtocolError, type ProtocolHost } from '../../connection/protocol.js'
import { MetaProtocol } from './protocol.js'

const now = Date.UTC(2026, 0, 1)
const value = Buffer.from('value')

function protocol(itemSizeMax = 1_048_576): MetaProtocol {
  const host: ProtocolHost = { serverTime: () => now, itemSizeMax, ask: () => {} }
  return new MetaProtocol(host, undefined)
}

function flight(requests: readonly StoreRequest[], on = protocol()) {
  let resolve: (flight: Flight) => void = () => {}
  const answers = new Promise<Flight>((settle) => {
    resolve = settle
  })
  const command = on.flight(requests, Number.POSITIVE_INFINITY, (result) => resolve(result))
  const out = new Outbox()
  command.encode(out)
  return { exchange: command, text: Buffer.from(out.parts.join(''), 'latin1').toString(), answers }
}

const get: StoreRequest = { op: 'get', key: 'k' }
const add: StoreRequest = { op: 'add', key: 'k', value, ttl: 60_000 }
const replace: StoreRequest = { op: 'replace', key: 'k', value, ttl: 60_000 }
const remove: StoreRequest = { op: 'delete', key: 'k' }
const touch: StoreRequest = { op: 'touch', key: 'k', ttl: 60_000 }
const renew: StoreRequest = { op: 'getAndTouch', key: 'k', ttl: 60_000 }

async function answerTo(request: StoreRequest, reply: string) {
  const { exchange: command, answers } = flight([request])
  const bytes = Buffer.from(reply, 'latin1')
  expect(command.read(bytes, 0)).toBe(bytes.length)
  expect(command.complete).toBe(true)
  command.settle(now)
  return (await answers).answers[0]
}

describe('what leaves over the meta protocol', () => {
  test.each<[StoreRequest, string]>([
    [get, 'mg k v c t O1\r\n'],
    [{ op: 'get', key: 'é' }, 'mg é v c t O1\r\n'],
    [add, 'ms k 5 ME c T60 O1\r\nvalue\r\n'],
    [replace, 'ms k 5 MR c T60 O1\r\nvalue\r\n'],
    [remove, 'md k O1\r\n'],
    [touch, 'mg k T60 O1\r\n'],
    [renew, 'mg k v c t T60 O1\r\n'],
    [{ ...touch, ttl: 1 }, 'mg k T1 O1\r\n'],
    [{ ...add, ttl: 31 * 86_400_000 }, `ms k 5 ME c T${now / 1_000 + 1 + 31 * 86_400} O1\r\nvalue\r\n`],
  ])('%j', (request, text) => {
    expect(flight([request]).text).toBe(text)
  })

  test('a key beyond ASCII leaves as UTF-8, though text leaves as Latin-1', () => {
    const out = new Outbox()
    protocol()
      .flight([{ op: 'delete', key: 'é日' }], 1, () => {})
      .encode(out)
    expect(out.parts).toEqual([Buffer.from('md é日 O1\r\n').toString('latin1')])
  })

  test('a value leaves as it is, whatever is in it', () => {
    const out = new Outbox()
    const bytes = Buffer.from('a\r\nversion\r\n')
    protocol()
      .flight([{ ...add, value: bytes }], 1, () => {})
      .encode(out)
    expect(out.parts).toEqual([`ms k 12 ME c T60 O1\r\n${bytes}\r\n`])
  })

  test('requests are numbered on and on', () => {
    const on = protocol()
    flight([get, get], on)
    expect(flight([get, get], on).text).toBe('mg k v c t O3\r\nmg k v c t O4\r\n')
  })

  test.each(['1', '999999999999999', '1000000000000000', '18446744073709551615'])(
    'version %s goes back as it was read',
    async (cas) => {
      const on = protocol()
      const read = flight([get], on)
      read.exchange.read(Buffer.from(`VA 1 c${cas} t1 O1\r\nx\r\n`), 0)
      read.exchange.settle(now)
      const [answer] = (await read.answers).answers
      const version = answer?.result === 'found' ? answer.version : {}
      expect(flight([{ ...replace, version }], on).text).toBe(`ms k 5 C${cas} c T60 O2\r\nvalue\r\n`)
      for (const [stale, other] of [
        [version, protocol()],
        [{}, on],
      ] as const) {
        const { text, exchange: command, answers } = flight([{ ...replace, version: stale }], other)
        expect([text, command.complete]).toEqual(['', true])
        command.settle(now)
        expect((await answers).answers).toEqual([{ result: 'stale' }])
      }
    },
  )
})

describe('a write for which the server may have no memory goes by a classic command, which leaves the old value (W11)', () => {
  const keepsAll = () => Object.assign(protocol(), { evicts: false })
  const versionOn = async (on: MetaProtocol) => {
    const read = flight([get], on)
    read.exchange.read(Buffer.from('VA 1 c7 t1 O1\r\nx\r\n'), 0)
    read.exchange.settle(now)
    return ((await read.answers).answers[0] as { version: object }).version
  }

  test('to a server that does not evict, of any size', async () => {
    const on = keepsAll()
    const version = await versionOn(on)
    expect(flight([{ ...replace, version }], on).text).toBe('cas k 0 60 5 7\r\nvalue\r\nmg k O2\r\n')
    expect(flight([replace], on).text).toBe('replace k 0 60 5\r\nvalue\r\nmg k O3\r\n')
    expect(flight([add, get], on).text).toBe('add k 0 60 5\r\nvalue\r\nmg k O4\r\nmg k v c t O5\r\n')
  })

  test.each([
    [8_192, /^ms k 8192 /],
    [8_193, /^add k 0 60 8193\r\n/],
  ])('to any server with %i bytes: %s', (length, text) => {
    expect(flight([{ ...add, value: Buffer.alloc(length) }]).text).toMatch(text)
  })

  test.each<[StoreRequest, string, string]>([
    [add, 'STORED', 'stored'],
    [add, 'NOT_STORED', 'conflict'],
    [replace, 'STORED', 'stored'],
    [replace, 'NOT_STORED', 'missing'],
    [replace, 'NOT_FOUND', 'missing'],
    [replace, 'EXISTS', 'conflict'],
    [add, 'SERVER_ERROR out of memory storing object', 'unsent STORE_UNAVAILABLE'],
    [replace, 'SERVER_ERROR object too large for cache', 'unsent VALUE_TOO_LARGE'],
  ])('%j %j', async (request, verdict, means) => {
    const { exchange: command, answers } = flight([request], keepsAll())
    const bytes = Buffer.from(`${verdict}\r\nHD O1\r\n`)
    for (let there = 1; there < bytes.length; there++) expect(-command.read(bytes.subarray(0, there), 0)).toBeGreaterThan(there)
    expect(command.read(bytes, 0)).toBe(bytes.length)
    command.settle(now)
    expect((await answers).answers.map(told)).toEqual([means])
  })

  test.each([
    ['without the numbered reply behind it', 'STORED\r\nSTORED\r\n'],
    ["with another request's number behind it", 'STORED\r\nHD O2\r\n'],
    ['with a value behind it', 'STORED\r\nVA 1 O1\r\nx\r\n'],
    ['for another command', 'EXISTS\r\nHD O1\r\n'],
    ['that memcached does not give', `SERVER_ERROR ${'x'.repeat(200)}\r\n`],
  ])('an answer %s is the end of the connection', (_, reply) => {
    const { exchange: command } = flight([add], keepsAll())
    expect(() => command.read(Buffer.from(reply), 0)).toThrow(ProtocolError)
  })
})

describe('an item whose version is known', () => {
  const known = async (reply: string, cas = '7') => {
    const on = protocol()
    const read = flight([get], on)
    read.exchange.read(Buffer.from(`VA 1 c${cas} t1 O1\r\nx\r\n`), 0)
    read.exchange.settle(now)
    const [answer] = (await read.answers).answers
    const { version } = answer as { version: object }
    const request: StoreRequest = { op: 'compare', key: 'k', knownVersion: version }
    const compared = flight([request], on)
    const take = async () => {
      compared.exchange.read(Buffer.from(reply), 0)
      compared.exchange.settle(now)
      return (await compared.answers).answers[0]
    }
    return { request, text: compared.text, take }
  }

  test('is asked for without its value', async () => {
    const { request, text } = await known('')
    expect(text).toBe('mg k c t O2\r\n')
    expect(flight([request]).text, 'on another connection').toBe('mg k v c t O1\r\n')
    expect(flight([{ op: 'compare', key: 'k', knownVersion: {} }]).text, 'of another store').toBe('mg k v c t O1\r\n')
  })

  test.each([
    ['HD c7 t60 O2\r\n', '7', { result: 'same', ttl: 60_000 }],
    ['HD c7 t-1 O2\r\n', '7', { result: 'same', ttl: Number.POSITIVE_INFINITY }],
    ['HD c18446744073709551615 t60 O2\r\n', '18446744073709551615', { result: 'same', ttl: 60_000 }],
    ['HD c8 t60 O2\r\n', '7', { result: 'changed' }],
    ['HD t60 O2\r\n', '7', { result: 'changed' }],
    ['HD c18446744073709551614 t60 O2\r\n', '18446744073709551615', { result: 'changed' }],
    ['EN O2\r\n', '7', { result: 'missing' }],
  ])('%j, of version %s, means %j', async (reply, cas, answer) => {
    expect(await (await known(reply, cas)).take()).toStrictEqual(answer)
  })

  test.each(['VA 1 c7 t60 O2\r\nx\r\n', 'NS O2\r\n', 'HD c7 t60 O3\r\n'])('%j ends the connection', async (reply) => {
    await expect((await known(reply)).take()).rejects.toThrow(ProtocolError)
  })
})

test.each([add, replace])('the version that a write of $op is answered with goes back as it was read', async (write) => {
  const on = protocol()
  const written = flight([write], on)
  expect(written.exchange.read(Buffer.from('HD c18446744073709551615 O1\r\n'), 0)).toBe(29)
  written.exchange.settle(now)
  const [answer] = (await written.answers).answers
  const { version } = answer as { version: object }
  expect(flight([{ ...replace, version }], on).text).toBe('ms k 5 C18446744073709551615 c T60 O2\r\nvalue\r\n')
})

test('a write that is answered without a version has none', async () => {
  for (const write of [add, replace]) expect(await answerTo(write, 'HD O1\r\n')).toStrictEqual({ result: 'stored' })
  expect(await answerTo(remove, 'HD c7 O1\r\n')).toStrictEqual({ result: 'done' })
})

describe('what a meta reply means', () => {
  test.each<[StoreRequest, string, string]>([
    [get, 'VA 5 c7 t60 O1\r\nvalue\r\n', 'found value'],
    [get, 'VA 0 c7 t60 O1\r\n\r\n', 'found '],
    [get, 'VA 5 O1 t60 c7\r\nvalue\r\n', 'found value'],
    [get, 'VA 5 kxyz c7 t-1 O1 W Z X\r\n\r\nEN\r\r\n', 'found \r\nEN\r'],
    [get, 'EN O1\r\n', 'missing'],
    [add, 'HD O1\r\n', 'stored'],
    [add, 'NS O1\r\n', 'conflict'],
    [add, 'SERVER_ERROR out of memory storing object\r\n', 'lost STORE_UNAVAILABLE'],
    [add, 'SERVER_ERROR object too large for cache\r\n', 'lost VALUE_TOO_LARGE'],
    [replace, 'HD O1\r\n', 'stored'],
    [replace, 'NS O1\r\n', 'missing'],
    [replace, 'NF O1\r\n', 'missing'],
    [replace, 'EX O1\r\n', 'conflict'],
    [remove, 'HD O1\r\n', 'done'],
    [remove, 'NF O1\r\n', 'missing'],
    [touch, 'HD O1\r\n', 'done'],
    [touch, 'EN O1\r\n', 'missing'],
    [renew, 'VA 5 c7 t60 O1\r\nvalue\r\n', 'found value'],
    [renew, 'EN O1\r\n', 'missing'],
  ])('%j %j', async (request, reply, answer) => {
    expect(told(await answerTo(request, reply))).toBe(answer)
  })

  test('an item that the server has no memory for is said to be so', async () => {
    const answer = await answerTo(add, 'SERVER_ERROR out of memory storing object\r\n')
    expect(complaint(answer)).toMatch(/no memory/)
  })

  test('a reply is read wherever it lies in what came, and whichever flight it is for', async () => {
    const on = protocol()
    flight([get, get], on)
    const { exchange: command, answers } = flight([get, add], on)
    const before = Buffer.alloc(2_000)
    const replies = Buffer.concat([before, Buffer.from('VA 1 c7 t60 O3\r\nx\r\nHD c8 O4\r\n')])
    expect(command.read(replies, command.read(replies, before.length))).toBe(replies.length)
    command.settle(now)
    expect((await answers).answers.map(told)).toEqual(['found x', 'stored'])
  })

  test('a value that the server has no room for is too large by a byte at least', async () => {
    const answer = await answerTo(add, 'SERVER_ERROR object too large for cache\r\n')
    expect(complaint(answer)).toBe(
      "'k' takes 5 bytes, and an item of the store holds at most 4; nothing was stored. Store less, or split the field",
    )
  })

  test('a remaining time to live is told in milliseconds, none as endless', async () => {
    expect(await answerTo(get, 'VA 1 c7 t60 O1\r\nx\r\n')).toMatchObject({ ttl: 60_000 })
    expect(await answerTo(get, 'VA 1 c7 t0 O1\r\nx\r\n')).toMatchObject({ ttl: 0 })
    expect(await answerTo(get, 'VA 1 c7 t-1 O1\r\nx\r\n')).toMatchObject({ ttl: Number.POSITIVE_INFINITY })
  })

  test('a reply that leaves something out is not given what an earlier one said', async () => {
    const on = protocol()
    const { exchange: command, answers } = flight([get, get], on)
    const replies = Buffer.from('VA 1 c7 t60 O1\r\nx\r\nVA 1 c7 O2\r\nx\r\n')
    command.read(replies, command.read(replies, 0))
    command.settle(now)
    expect((await answers).answers).toMatchObject([{ ttl: 60_000 }, { ttl: 0 }])
    for (const left of ['VA 1 t60 O3\r\nx\r\n', 'VA 1 c7 t60\r\nx\r\n']) {
      expect(thrownBy(() => flight([get], on).exchange.read(Buffer.from(left), 0))).toBeInstanceOf(ProtocolError)
    }
  })

  test.each<[string, StoreRequest, string, RegExp]>([
    ['another number', get, 'EN O2\r\n', /another request/],
    ['no number', get, 'EN\r\n', /another request/],
    ['a number that is none', get, 'EN Ox\r\n', /does not allow/],
    ['an endless number', get, `EN O${'1'.repeat(21)}\r\n`, /does not allow/],
    ['no version', get, 'VA 1 t1 O1\r\nx\r\n', /-C/],
    ['version 0', get, 'VA 1 c0 t1 O1\r\nx\r\n', /-C/],
    ['a value to a delete', remove, 'VA 1 c7 t1 O1\r\nx\r\n', /does not fit/],
    ['"stored" to a get', get, 'HD O1\r\n', /does not fit/],
    ['"not found" to a get', get, 'NF O1\r\n', /does not fit/],
    ['"exists" to an add', add, 'EX O1\r\n', /does not fit/],
    ['a value that does not end where it should', get, 'VA 1 c7 t1 O1\r\nxyz', /does not fit/],
    ['a value that ends in the other half of a line end', get, 'VA 1 c7 t1 O1\r\nxz\n', /does not fit/],
    ['a value that ends in half a line end', get, 'VA 1 c7 t1 O1\r\nx\rz', /does not fit/],
    ['more than an item', get, 'VA 1048577 c7 t1 O1\r\n', /larger than any to this request/],
    ['a time to live beyond what 32 bits hold', get, 'VA 1 c7 t4294967296 O1\r\nx\r\n', /does not allow/],
    ['a time to live below "for ever"', get, 'VA 1 c7 t-2 O1\r\nx\r\n', /does not allow/],
    ['a size that is none', get, 'VA -1 c7 t1 O1\r\n', /does not allow/],
    ['an empty size', get, 'VA  c7 t1 O1\r\n\r\n', /does not allow/],
    ['a size that is not set apart', get, 'VAx1 c7 t1 O1\r\nx\r\n', /does not allow/],
    ['a line that ends in half a line end', get, 'EN O1x\n', /does not allow/],
    ['a bare line feed', get, 'EN O1\n\r\n', /does not allow/],
    ['a bare carriage return', get, 'EN O1\r\r\n', /does not allow/],
    ['a line without end', get, `EN k${'x'.repeat(1_100)}`, /does not allow/],
    ['an error', get, 'ERROR\r\n', /does not allow/],
    ['a client error', add, 'CLIENT_ERROR bad data chunk\r\n', /does not allow/],
    ['another server error', add, 'SERVER_ERROR busy\r\n', /does not allow/],
    ['a refusal to store, to a get', get, 'SERVER_ERROR out of memory storing object\r\n', /does not allow/],
    ['a question for a password', get, 'CLIENT_ERROR unauthenticated\r\n', /asks for a password/],
    ['too many connections', get, 'ERROR Too many open connections\r\n', /no connection left/],
    ['HTTP', get, 'HTTP/1.1 400 Bad Request\r\n', /HTTP server/],
    ['a TLS alert', get, '\x15\x03\x03\0\x02\x02\x28', /expects TLS/],
    ['the binary protocol', get, `\x81${'\0'.repeat(200)}`, /does not allow/],
  ])('%s is the end of the connection', (_what, request, reply, message) => {
    const { exchange: command } = flight([request])
    const error = thrownBy(() => command.read(Buffer.from(reply, 'latin1'), 0))
    expect(error).toBeInstanceOf(ProtocolError)
    expect(String(error)).toMatch(message)
  })

  test('a reply that is not all there asks for more, and for a value at once for all of it', () => {
    for (const line of ['EN O1\r\n', 'VA 5 c7 t60 O1\r\n', 'VA 5 c18446744073709551615 t-1 O1\r\n']) {
      const { exchange: command } = flight([get])
      const reply = Buffer.from(line.startsWith('VA') ? `${line}value\r\n` : line)
      const stream = Buffer.concat([Buffer.from('###'), reply])
      for (let end = 4; end < 3 + line.length; end++)
        expect(command.read(stream.subarray(0, end), 3)).toBe(-Math.max(4, end - 3 + 1))
      for (let end = 3 + line.length; end < stream.length; end++)
        expect(command.read(stream.subarray(0, end), 3)).toBe(-reply.length)
      expect(command.read(stream, 3)).toBe(stream.length)
    }
  })

  test('a refusal in its turn leaves the next reply where it is', async () => {
    const { exchange: command, answers } = flight([add, get])
    const replies = Buffer.from('SERVER_ERROR out of memory storing object\r\nEN O2\r\n')
    command.read(replies, command.read(replies, 0))
    command.settle(now)
    expect((await answers).answers.map(told)).toEqual(['lost STORE_UNAVAILABLE', 'missing'])
  })

  test('text from a server is never repeated in an error', () => {
    for (const text of ['canary\r\n', 'SERVER_ERROR canary\r\n', 'VA canary\r\n', 'EN canary']) {
      const { exchange: command } = flight([get])
      const error = thrownBy(() => command.read(Buffer.from(text.padEnd(2_000, ' ')), 0))
      expect(error).toBeInstanceOf(ProtocolError)
      expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain('canary')
    }
  })
})

describe('the greeting over the meta protocol', () => {
  const said: Record<string, string> = {
    'version\r\n': 'VERSION 1.6.18\r\n',
    'stats\r\n': 'STAT pid 1\r\nSTAT time 1767225600\r\nEND\r\n',
    'stats settings\r\n': 'STAT item_size_max 2048\r\nSTAT inter 127.0.0.1 and more\r\nEND\r\n',
    'mg fieldwise-probe t O1\r\n': 'EN O1\r\n',
    'mn\r\n': 'MN\r\n',
  }

  /** A server that answers at once. */
  function answerAtOnce(command: Command): void {
    const out = new Outbox()
    command.encode(out)
    const reply = Buffer.from(said[out.parts.join('')] ?? 'ERROR\r\n')
    for (let at = 0; at < reply.length; at = command.read(reply, at));
    expect(command.complete).toBe(true)
    command.settle(5)
  }

  const greeted = new MetaProtocol({ serverTime: () => now, itemSizeMax: 1, ask: answerAtOnce }, undefined)

  test('learns the version, the largest item and the time', async () => {
    expect(await greeted.greet(1)).toEqual({ version: '1.6.18', evicts: true, itemSizeMax: 2_048, time: 1_767_225_600 })
    expect(await greeted.readTime(1)).toBe(1_767_225_600)
  })

  test('a ping is what does nothing', async () => {
    const at = new Promise((resolve, reject) => answerAtOnce(greeted.ping(1, { resolve, reject })))
    expect(await at).toBe(5)
  })
})

test('a meta flight is answered once, whatever comes after', () => {
  const flights: Flight[] = []
  const command = protocol().flight([get], Number.POSITIVE_INFINITY, (result) => flights.push(result))
  command.encode(new Outbox())
  command.fail('unanswered', new ProtocolError('gone') as never)
  command.fail('unanswered', new ProtocolError('gone') as never)
  command.read(Buffer.from('EN O1\r\n'), 0)
  command.settle(now)
  expect(flights.map(({ answers }) => answers.map(({ result }) => result))).toEqual([['unanswered']])
  expect([command.settled, command.complete]).toEqual([true, true])
})

function thrownBy(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  return undefined
}
