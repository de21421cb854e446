import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, isFieldwiseError } from 'fieldwise'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { StoreRequest } from '../../packages/fieldwise/src/store-contract.js'
import type { Fate, Passing } from '../support/fault-proxy.js'
import { Flyer } from '../support/flights.js'
import { textCommand } from '../support/memcached.js'
import { count, measured } from '../support/promise.js'
import { Chance, scaled } from '../support/scale.js'
import { patient, protocols, Stage } from './stage.js'

const stages: Stage[] = []
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage[Symbol.asyncDispose]()
})

test.for(protocols)(
  'hostile sids, tokens, fields and lifetimes are refused before a byte is sent (%s)',
  patient,
  async (protocol, context) => {
    const chance = new Chance(`hostile input, ${protocol}`)
    const stage = new Stage(protocol)
    stages.push(stage)
    const server = await stage.memcached()
    const commands: string[] = []
    const proxy = await stage.proxy({
      target: server.address,
      judge: recordInto(commands),
    })
    const store = memcachedStore({ main: proxy.address }, { protocol })
    // Any field that passes the name rule: nothing but the rule stands between a name and the wire.
    const sessions = createSessions({ schema: z.object({}).catchall(z.string()), store })
    const session = await sessions.create({ tag: 'mine' })
    await session.get('tag')
    commands.length = 0
    const size = scaled(5_000)
    const wrong: string[] = []
    for (let index = 0; index < size; index++) {
      const attempt = chance.pick(attempts)
      const input = attempt.draw(chance)
      const outcome = await outcomeOf(() => attempt.call(sessions, session, input as never))
      if (!attempt.outcomes.includes(outcome)) wrong.push(`${attempt.name} ${JSON.stringify(input)}: ${outcome}`)
      if (commands.length > 0) wrong.push(`${attempt.name} ${JSON.stringify(input)} sent ${commands.splice(0).join(', ')}`)
    }
    await sessions.close()
    measured(context, `${count(size)} inputs`, `${wrong.length} of them sent a command or were not refused`)
    expect(wrong.slice(0, 5)).toEqual([])
  },
)

test.for(protocols)(
  'hostile keys and lives send one command each or none, and nothing turns into another one (%s)',
  patient,
  async (protocol, context) => {
    const chance = new Chance(`hostile keys, ${protocol}`)
    const stage = new Stage(protocol)
    stages.push(stage)
    const server = await stage.memcached()
    const seen: string[] = []
    const proxy = await stage.proxy({
      target: server.address,
      judge: recordInto(seen),
    })
    const store = memcachedStore({ main: proxy.address }, { protocol, timeout: '5000ms' })
    const session = new Flyer(store)
    await session.told(session.add('victim', 'intact'))
    const size = scaled(5_000)
    const wrong: string[] = []
    for (let done = 0; done < size; done += 50) {
      seen.length = 0
      const requests = Array.from({ length: 50 }, () => hostileRequest(chance))
      const { answers } = await session.fly(requests)
      const sent = requests.filter((_, index) => answers[index]?.result !== 'unsent')
      const expected = sent.map(({ op, key }) => `${op} ${Buffer.from(key).toString('latin1')}`)
      if (JSON.stringify(seen) !== JSON.stringify(expected))
        wrong.push(`${JSON.stringify(expected)} became ${JSON.stringify(seen)}`)
      for (const answer of answers)
        if ('error' in answer && answer.error.code !== 'BAD_ARGUMENT') wrong.push(`${answer.error.code}: ${answer.error.message}`)
    }
    const intact = await session.told(session.get('victim'))
    await store.close()
    const stats = await textCommand(server, 'stats', 'END\r\n')
    measured(
      context,
      `${count(size)} keys and lives`,
      `${wrong.length} extra or changed commands, ${proxy.links.length} connection`,
    )
    expect(wrong.slice(0, 3)).toEqual([])
    expect(intact).toEqual(['found intact'])
    expect(proxy.links).toHaveLength(1)
    expect(stats).toContain('STAT cmd_flush 0\r\n')
  },
)

function recordInto(commands: string[]): (passing: Passing) => Fate {
  return ({ command, key }) => {
    commands.push(`${command} ${key}`)
    return 'pass'
  }
}

type AnySessions = ReturnType<typeof sessionsType>
type AnySession = Awaited<ReturnType<AnySessions['create']>>

interface Attempt {
  readonly name: string
  draw(chance: Chance): unknown
  call(sessions: AnySessions, session: AnySession, input: never): unknown
  readonly outcomes: readonly string[]
}

const refused = ['BAD_ARGUMENT', 'BAD_CONFIG']
const asToken = { draw: hostileToken, outcomes: ['null', 'undefined', ...refused] }
const asField = { draw: hostileField, outcomes: refused }
const asDuration = { draw: hostileDuration, outcomes: refused }

const attempts: readonly Attempt[] = [
  { name: 'open', ...asToken, call: (sessions, _session, input) => sessions.open(input) },
  { name: 'resume and get', ...asToken, call: (sessions, _session, input) => sessions.resume(input).get('tag') },
  {
    name: 'revoke',
    draw: hostileSid,
    outcomes: ['undefined', ...refused],
    call: (sessions, _session, input) => sessions.revoke(input),
  },
  {
    name: 'preload',
    ...asField,
    call: (sessions, session, input) => sessions.open(session.token as string, { preload: [input] }),
  },
  { name: 'get', ...asField, call: (_sessions, session, input) => session.get(input) },
  { name: 'getMany', ...asField, call: (_sessions, session, input) => session.getMany([input]) },
  { name: 'has', ...asField, call: (_sessions, session, input) => session.has(input) },
  { name: 'set', draw: hostileKey, outcomes: refused, call: (_sessions, session, input) => session.set(input, 'x' as never) },
  {
    name: 'set of several',
    draw: hostileKey,
    outcomes: refused,
    call: (_sessions, session, input) => session.set({ [input]: 'x' }),
  },
  { name: 'update', ...asField, call: (_sessions, session, input) => session.update(input, () => 'x' as never) },
  { name: 'take', ...asField, call: (_sessions, session, input) => session.take(input) },
  { name: 'delete', ...asField, call: (_sessions, session, input) => session.delete(input) },
  { name: 'create', draw: hostileKey, outcomes: refused, call: (sessions, _session, input) => sessions.create({ [input]: 'x' }) },
  { name: 'idle', ...asDuration, call: (sessions, _session, input) => sessions.create({}, { lifetime: { idle: input } }) },
  {
    name: 'absolute',
    ...asDuration,
    call: (sessions, _session, input) => sessions.create({}, { lifetime: { absolute: input } }),
  },
  { name: 'grace', ...asDuration, call: (_sessions, session, input) => session.regenerate({ grace: input }) },
]

/** Only for its type. */
function sessionsType() {
  return createSessions({ schema: z.object({}).catchall(z.string()) })
}

const scraps = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  '\x7f',
  '\x80',
  'ü',
  '漢',
  '😀',
  '\ud800',
  '\u2028',
  ':',
  '~',
  '@',
  '.',
  '/',
  '\\',
  '%0d%0a',
  '__proto__',
  'constructor',
  'toString',
  'version',
  'flush_all',
  'quit',
  'stats',
  'set a 0 0 1\r\nx\r\n',
  'ms a 1\r\nx\r\n',
  'md a\r\n',
  'mg',
  ' noreply',
  '0',
  '-1',
  'a',
  'tag',
  'A_b-9',
  'x'.repeat(64),
  'x'.repeat(65),
  'k'.repeat(250),
  'k'.repeat(251),
  '𐍈'.repeat(63),
  '0'.repeat(300),
] as const

const nonTexts = [
  undefined,
  null,
  0,
  1,
  -1,
  Number.NaN,
  true,
  [],
  ['tag'],
  {},
  { toString: () => 'tag' },
  10n,
  new Date(0),
  Buffer.from('tag'),
]

function hostileText(chance: Chance): string {
  return Array.from({ length: 1 + chance.below(4) }, () => chance.pick(scraps)).join('')
}

/** A name that the rule for names refuses; it may be of the wrong type, too. */
function hostileField(chance: Chance): unknown {
  return chance.next() < 0.1 ? chance.pick(nonTexts) : hostileKey(chance)
}

function hostileKey(chance: Chance): string {
  for (;;) {
    const text = chance.next() < 0.02 ? '' : hostileText(chance)
    if (!/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(text) || text in Object.prototype)
      return text === '__proto__' ? 'constructor' : text
  }
}

/** Nearly a session's id. */
function hostileSid(chance: Chance): unknown {
  if (chance.next() < 0.1) return chance.pick(nonTexts)
  const uuid = '3b241101-e2bb-4255-8caf-4136c566a962'
  return chance.pick([
    () => hostileText(chance),
    () => `${uuid}${hostileText(chance)}`,
    () => `${uuid}~${chance.pick(['nowhere', 'MAIN', 'main ', 'main\r\n', 'x'.repeat(33), '', '__proto__'])}`,
    () => `${hostileText(chance)}${uuid}~main`,
    () => `${uuid.slice(0, chance.below(36))}${chance.pick(scraps)}${uuid.slice(chance.below(36))}~main~`,
    () => uuid.toUpperCase(),
    () => uuid,
  ])()
}

/** Nearly a token. */
function hostileToken(chance: Chance): unknown {
  const sid = hostileSid(chance)
  if (typeof sid !== 'string' || chance.next() < 0.2) return sid
  const secret = 'x'.repeat(42)
  return `${sid}.${chance.pick([`${secret}A`, `${secret}B`, secret, `${secret}AA`, `${secret.slice(1)}\n`, hostileText(chance), ''])}`
}

function hostileDuration(chance: Chance): unknown {
  if (chance.next() < 0.2) return chance.pick(nonTexts.filter((one) => one !== undefined))
  return chance.pick([
    '-5m',
    '0x10m',
    '5',
    '',
    ' ',
    '5 m ',
    '5m\r\n',
    '1e3ms',
    '٥m',
    '0s',
    '0ms',
    'm',
    'NaNs',
    'Infinitys',
    '--1s',
    '1.2.3s',
    '5mm',
    '5M',
    '9'.repeat(400),
    `${'9'.repeat(20)}d`,
    hostileText(chance),
  ])
}

function hostileRequest(chance: Chance): StoreRequest {
  const key = chance.next() < 0.3 ? `k${chance.below(20)}` : hostileText(chance)
  const life = chance.pick([
    1,
    0,
    -0,
    -1,
    0.2,
    1e-300,
    1e300,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.MAX_SAFE_INTEGER,
    60_000,
    2_592_000_000,
    2_592_001_000,
  ])
  const value = Buffer.from(chance.pick(['', 'x', '\r\n', 'x\r\nversion\r\n', 'x\r\nms a 1\r\ny\r\n', '\r\nEN\r\n']))
  return chance.pick<StoreRequest>([
    { op: 'get', key },
    { op: 'add', key, value, ttl: life },
    { op: 'replace', key, value, ttl: life },
    { op: 'delete', key },
    { op: 'touch', key, ttl: life },
    { op: 'getAndTouch', key, ttl: life },
  ])
}

async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    return String(await call())
  } catch (error) {
    return isFieldwiseError(error) ? error.code : `uncaught ${String(error)}`
  }
}
