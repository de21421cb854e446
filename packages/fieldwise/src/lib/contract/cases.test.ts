import { AssertionError } from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { testContract } from '../../../../../test/support/contract.js'
import { ClosedError, StoreUnavailableError } from '../api/errors.js'
import type { Flight, Store, StoreAnswer, StoreRequest, StoreTraits } from '../api/store.js'
import { memoryStore } from '../memory/memory-store.js'
import { contractCases } from './cases.js'
import { type ContractCase, type ContractHarness, type ContractSubject, type Outage, runContractCase } from './harness.js'

describe('memoryStore keeps the store contract', () => {
  testContract(subjectOf({ traits: memoryStore().traits, wrap: (store) => store }))
})

describe('the cases', () => {
  test('have titles of their own', () => {
    expect(new Set(contractCases.map(({ title }) => title)).size).toBe(contractCases.length)
  })

  test('are all kept by a store that counts seconds, has a label and can be cut off', async () => {
    expect(
      contractCases.filter((contractCase) => contractCase.needs?.(coarse({})) !== undefined).map(({ title }) => title),
    ).toEqual(['get tells the remaining time to live, after add, replace and touch'])
    expect(await failuresOf(coarse({}))).toEqual([])
  })

  test('end their store, also when they fail', async () => {
    const subject = subjectOf({ traits: memoryStore().traits, wrap: (store) => store })
    let harness: ContractHarness | undefined
    const make = async () => {
      harness = await subject.make()
      return harness
    }
    const failing = { title: '', requirement: '', run: () => Promise.reject(new Error('on purpose')) }
    await expect(runContractCase(failing, { make })).rejects.toThrow('on purpose')
    await expect(harness?.store.check(0)).rejects.toThrow(ClosedError)
  })

  for (const { what, defect, noticed } of defects()) {
    test(`notice a store that ${what}`, async () => {
      const contractCase = contractCases.find(({ title }) => title === noticed) as ContractCase
      await expect(runContractCase(contractCase, coarse(defect))).rejects.toThrow(AssertionError)
    })
  }
})

/** One thing that a store does wrong. */
interface Defect {
  request?(request: StoreRequest): StoreRequest
  /** Carried out on the store in place of the request. */
  instead?(request: StoreRequest): StoreRequest[] | undefined
  answer?(answer: StoreAnswer, request: StoreRequest): StoreAnswer
  answers?(answers: StoreAnswer[]): StoreAnswer[]
  flight?(flight: Flight): Flight
  ttl?(ttl: number): number
  /** What becomes of an item that it has no memory to replace, and what it says of that. */
  readonly full?: { readonly drops: boolean; readonly says: 'unsent' | 'lost' }
  store?(store: Store): Partial<Store>
  /** How a request is answered while the store is cut off, and whether it is carried out all the same. */
  outage?: {
    answer?: () => StoreAnswer
    carriesOut?: boolean
    comesBack?: boolean
    flight?: () => Promise<Flight>
    check?: boolean
  }
}

function defects(): { what: string; defect: Defect; noticed: string }[] {
  const shared = Buffer.from('shared')
  const versions = new Map<string, object>()
  return [
    {
      what: 'adds over what is there',
      defect: { instead: (request) => (request.op === 'add' ? [{ op: 'delete', key: request.key }, request] : undefined) },
      noticed: 'add stores where nothing is, and is a conflict where something is',
    },
    {
      what: 'adds where it should replace',
      defect: { instead: (request) => (request.op === 'replace' ? [{ ...request, op: 'add' }, request] : undefined) },
      noticed: 'after a delete a version finds nothing, and adds nothing',
    },
    {
      what: 'calls what is not there an error',
      defect: {
        answer: (answer) =>
          answer.result === 'missing' ? { result: 'unanswered', error: new StoreUnavailableError('') } : answer,
      },
      noticed: 'get, replace, delete and touch of what is not there are missing',
    },
    {
      what: 'ignores versions',
      defect: { request: withoutVersion },
      noticed: 'of two clients that write the same version exactly one stores, 50 times',
    },
    {
      what: 'goes by the version of the key, not of the item (a number that restarts)',
      defect: {
        answer(answer, { key }) {
          if (answer.result !== 'found') return answer
          versions.set(key, answer.version)
          return answer
        },
        request: (request) => {
          const version = versions.get(request.key)
          return request.op === 'replace' && request.version !== undefined && version !== undefined
            ? { ...request, version }
            : request
        },
      },
      noticed: 'every write makes the versions that were read before it a conflict',
    },
    {
      what: 'writes at a touch',
      defect: {
        instead: (request) =>
          request.op === 'touch'
            ? [{ op: 'replace', key: request.key, value: Buffer.from('first'), ttl: request.ttl }, request]
            : undefined,
      },
      noticed: 'get and touch leave the version as it is',
    },
    {
      what: 'answers in another order',
      defect: { answers: (answers) => answers.reverse() },
      noticed: 'each request of a flight sees what those before it did',
    },
    {
      what: 'forgets one answer of a large flight',
      defect: { answers: (answers) => answers.slice(0, 1_000) },
      noticed: 'a flight of 1,001 requests has 1,001 answers, each its own',
    },
    {
      what: 'answers an empty value as missing',
      defect: { answer: (answer) => (answer.result === 'found' && answer.value.length === 0 ? { result: 'missing' } : answer) },
      noticed: 'an empty value is a value, not a missing item',
    },
    {
      what: 'takes values for text',
      defect: {
        request: (request) => ('value' in request ? { ...request, value: Buffer.from(request.value.toString()) } : request),
      },
      noticed: 'a value comes back byte for byte, whatever is in it',
    },
    {
      what: 'reads every value into one buffer',
      defect: {
        answer: (answer) =>
          answer.result === 'found' && answer.value.length < 6 ? { ...answer, value: overwrite(shared, answer.value) } : answer,
      },
      noticed: 'each request of a flight sees what those before it did',
    },
    {
      what: 'takes a known version for the present one',
      defect: {
        answer: (answer, request) => (answer.result === 'found' && request.op === 'compare' ? { result: 'same' } : answer),
      },
      noticed:
        'of an item whose version is known a store that compares versions says that it is the same, and only as long as it is',
    },
    {
      what: 'sends what is known already',
      defect: {
        request: (request) => (request.op === 'compare' ? { op: 'get', key: request.key } : request),
      },
      noticed:
        'of an item whose version is known a store that compares versions says that it is the same, and only as long as it is',
    },
    {
      what: 'deletes the old value when it refuses a large one',
      defect: {
        instead: (request) =>
          'value' in request && request.value.length > 1_000_000 ? [{ op: 'delete', key: request.key }, request] : undefined,
      },
      noticed: 'a value of one byte more is refused, and the old value and its version stay good',
    },
    {
      what: 'promises more room than there is',
      defect: { store: (store) => ({ largestValue: (sid, length) => store.largestValue(sid, length) + 1 }) },
      noticed: 'a value of the largest size, and of one byte less, is stored and comes back',
    },
    {
      what: 'forgets that the key takes room',
      defect: { store: (store) => ({ largestValue: (sid) => store.largestValue(sid, 40) }) },
      noticed: 'the largest size depends on the length of the key, up to 250 bytes',
    },
    {
      what: 'keeps the first 100 bytes of a key',
      defect: { request: (request) => ({ ...request, key: request.key.slice(0, 100) }) },
      noticed: 'keys of up to 250 bytes, of every printable character, are kept apart',
    },
    {
      what: 'sends any key',
      defect: { request: (request) => ({ ...request, key: request.key.replace(/[^!-~]/g, '_') }) },
      noticed: 'a key that could end or extend a command is refused, and its neighbours are carried out',
    },
    {
      what: 'rounds times to live down, where 0 is for ever',
      defect: { ttl: (ttl) => Math.floor(ttl / 1_000) * 1_000 || 1e15 },
      noticed: 'a time to live shorter than a step is neither for ever nor over at once',
    },
    {
      what: 'takes times to live beyond 30 days for points in time',
      defect: { ttl: (ttl) => (ttl > 2_592_000_000 ? 1 : ttl) },
      noticed: 'times to live around and far beyond 30 days are stored, and the items are still there',
    },
    {
      what: 'clamps times to live to 30 days',
      defect: { ttl: (ttl) => Math.min(ttl, 2_592_000_000) },
      noticed: 'times to live around and beyond 30 days last as long as asked and end then',
    },
    {
      what: 'never lets an item go',
      defect: { ttl: () => 1e15 },
      noticed: 'an item is there while it lives, and missing to every request afterwards',
    },
    {
      what: 'renews an item at every read',
      defect: {
        instead: (request) => (request.op === 'get' ? [{ op: 'touch', key: request.key, ttl: 60_000 }, request] : undefined),
      },
      noticed: 'reading, and writes that are refused, leave the remaining time to live as it is',
    },
    {
      what: 'touches without an effect',
      defect: { request: (request) => (request.op === 'touch' ? { ...request, ttl: 60_000 } : request) },
      noticed: 'touch, getAndTouch and replace set the time to live, longer or shorter',
    },
    {
      what: 'gets without renewing',
      defect: { request: (request) => (request.op === 'getAndTouch' ? { op: 'get', key: request.key } : request) },
      noticed: 'touch, getAndTouch and replace set the time to live, longer or shorter',
    },
    {
      what: 'takes any time to live',
      defect: { ttl: (ttl) => (ttl > 0 ? ttl : 1_000) },
      noticed: 'a time to live that is no length of time is refused, and what is there stays',
    },
    {
      what: 'tells the time in seconds since 1970',
      defect: { store: (store) => ({ now: async (sid, deadline) => (await store.now(sid, deadline)) / 1_000 }) },
      noticed: 'now tells the time of the server, and never runs backwards',
    },
    {
      what: 'has a time of its own in flights',
      defect: { flight: (flight) => ({ ...flight, serverTime: (flight.serverTime ?? 0) - 3_000 }) },
      noticed: 'the time of a flight lies between the times told before and after it',
    },
    {
      what: 'tells no time in flights',
      defect: { flight: (flight) => ({ ...flight, serverTime: Number.NaN }) },
      noticed: 'the first flight already tells the time',
    },
    {
      what: 'stops its clock',
      defect: { store: (store) => ({ now: stoppedClock(store) }) },
      noticed: 'time passes on the server as it does here',
    },
    {
      what: 'holds every sid',
      defect: { store: () => ({ holds: () => true }) },
      noticed: 'a sid with a foreign or malformed label is not held',
    },
    {
      what: 'names a server that no sid ends with',
      defect: { store: () => ({ servers: () => ['~b'] }) },
      noticed: 'servers are what sids end with, and what sessions share is reached by a sid and by its server',
    },
    {
      what: 'does not hold what it placed',
      defect: { store: () => ({ holds: (sid) => !sid.includes('~') }) },
      noticed: 'a placed sid is the uuid, bare or with a label, and is held by every client of the same items',
    },
    {
      what: 'cannot be closed twice',
      defect: { store: closesOnce },
      noticed: 'a store that was never used can be closed, and closing twice does no harm',
    },
    {
      what: 'works on after close',
      defect: { store: () => ({ close: async () => {} }) },
      noticed: 'after close flights are answered unsent with CLOSED, and now and check reject with it',
    },
    {
      what: 'shows the value in an error',
      defect: {
        answer(answer, request) {
          return answer.result === 'unsent' && 'value' in request
            ? { result: 'unsent', error: Object.assign(answer.error, { value: request.value.subarray(0, 9) }) }
            : answer
        },
      },
      noticed: 'an error tells nothing of the value that it refused',
    },
    {
      what: 'takes an outage for no session',
      defect: { outage: { answer: () => ({ result: 'missing' }) } },
      noticed: 'while the store is cut off every call ends in time, flights by answers, the others by STORE_UNAVAILABLE',
    },
    {
      what: 'rejects flights in an outage',
      defect: { outage: { flight: () => Promise.reject(new StoreUnavailableError('')) } },
      noticed: 'while the store is cut off every call ends in time, flights by answers, the others by STORE_UNAVAILABLE',
    },
    {
      what: 'calls itself well while it is cut off',
      defect: { outage: { check: true } },
      noticed: 'while the store is cut off every call ends in time, flights by answers, the others by STORE_UNAVAILABLE',
    },
    {
      what: 'keeps to itself that it has deleted what it had no memory to replace',
      defect: { full: { drops: true, says: 'unsent' } },
      noticed:
        'a write that is refused for lack of memory stores nothing, and is told apart by whether the old value is still there',
    },
    {
      what: 'calls lost what it has kept',
      defect: { full: { drops: false, says: 'lost' } },
      noticed:
        'a write that is refused for lack of memory stores nothing, and is told apart by whether the old value is still there',
    },
    {
      what: 'calls unsent what it has sent',
      defect: { outage: { carriesOut: true } },
      noticed: 'what is cut off in flight is answered, and what is answered unsent is never carried out',
    },
  ]
}

/** A memory store made to look like a fleet of one: times to live in seconds, a label in the sid, and a switch to cut it off. */
function coarse(defect: Defect): ContractSubject {
  const traits: StoreTraits = { reportsTtl: false, comparesVersions: true, shared: true, timeout: 200, ttlStep: 1_000 }
  return subjectOf({ traits, defect, wrap: (store, cut) => coarseStore(store, traits, defect, cut) })
}

function coarseStore(memory: Store, traits: StoreTraits, defect: Defect, cut: Cut): Store {
  const unavailable = () => new StoreUnavailableError('The store is cut off')
  const bare = (sid: string) => sid.replace(/~a$/, '')
  const base: Store = {
    name: 'coarse',
    traits,
    place: (uuid) => `${uuid}~a`,
    servers: () => ['~a'],
    holds: (sid) => /^[^~]+~a$/.test(sid),
    largestValue: (sid, length) => memory.largestValue(sid, length),
    async now(sid, deadline) {
      if (cut.off) throw unavailable()
      return memory.now(sid, deadline)
    },
    async flight(sid, requests, deadline) {
      if (cut.full) return carryOutWithoutMemory(memory, bare(sid), requests, defect)
      if (!cut.off) return carryOut(memory, bare(sid), requests, deadline, defect)
      if (defect.outage?.carriesOut === true) await carryOut(memory, bare(sid), requests, deadline, defect)
      const outage = defect.outage?.answer ?? ((): StoreAnswer => ({ result: 'unsent', error: unavailable() }))
      return defect.outage?.flight?.() ?? { answers: requests.map(outage), serverTime: Number.NaN }
    },
    async check(deadline) {
      if (cut.off && defect.outage?.check !== true) throw unavailable()
      return memory.check(deadline)
    },
    close: () => memory.close(),
  }
  return { ...base, ...defect.store?.(base) }
}

/** Every write is refused, and what is there stays. */
async function carryOutWithoutMemory(
  memory: Store,
  sid: string,
  requests: readonly StoreRequest[],
  { full = { drops: false, says: 'unsent' } }: Defect,
): Promise<Flight> {
  const answers: StoreAnswer[] = []
  for (const request of requests) {
    const isWrite = 'value' in request
    const asked: readonly StoreRequest[] = !isWrite ? [request] : full.drops ? [{ op: 'delete', key: request.key }] : []
    const flight = await memory.flight(sid, asked, Number.POSITIVE_INFINITY)
    if (isWrite) answers.push({ result: full.says, error: new StoreUnavailableError('no memory') })
    else answers.push(withoutTtl(flight.answers[0] as StoreAnswer))
  }
  return { answers, serverTime: Number.NaN }
}

async function carryOut(
  memory: Store,
  sid: string,
  requests: readonly StoreRequest[],
  deadline: number,
  defect: Defect,
): Promise<Flight> {
  const ttl = defect.ttl ?? ((asked: number) => (asked > 0 ? Math.ceil(asked / 1_000) * 1_000 : asked))
  const flown = requests.map((asked): { asked: StoreRequest; instead: StoreRequest[] } => {
    const changed = defect.request?.(asked) ?? asked
    const request = 'ttl' in changed ? { ...changed, ttl: ttl(changed.ttl) } : changed
    return { asked, instead: defect.instead?.(request) ?? [request] }
  })
  const flight = await memory.flight(
    sid,
    flown.flatMap(({ instead }) => instead),
    deadline,
  )
  let last = -1
  const answers = flown.map(({ asked, instead }) => {
    last += instead.length
    const answer = withoutTtl(flight.answers[last] as StoreAnswer)
    return defect.answer?.(answer, asked) ?? answer
  })
  const seen = { answers: defect.answers?.(answers) ?? answers, serverTime: flight.serverTime }
  return defect.flight?.(seen) ?? seen
}

interface Cut {
  off: boolean
  full: boolean
}

interface Wrapped {
  readonly traits: StoreTraits
  readonly defect?: Defect
  wrap(store: Store, cut: Cut): Store
}

function subjectOf({ traits, wrap }: Wrapped): ContractSubject {
  return {
    traits,
    skipsTime: true,
    breaks: traits.shared,
    exhausts: traits.shared,
    async make(): Promise<ContractHarness> {
      let time = Date.UTC(2026, 0, 1)
      const clock = { now: () => time }
      const cut = { off: false, full: false }
      const memory = memoryStore({ clock })
      const store = wrap(memory, cut)
      const outage: Outage = {
        title: 'cut off',
        begin: async () => {
          cut.off = true
        },
        end: async () => {
          cut.off = false
        },
      }
      return {
        store,
        clock,
        running: () => time,
        another: async () => (traits.shared ? wrap(memory, cut) : store),
        elapse: async (milliseconds) => {
          time += milliseconds
        },
        exhaust: async () => {
          cut.full = true
        },
        ...(traits.shared ? { outages: [outage] } : {}),
        end: () => memory.close(),
      }
    },
  }
}

async function failuresOf(subject: ContractSubject): Promise<string[]> {
  const failures: string[] = []
  for (const contractCase of contractCases) {
    if (contractCase.needs?.(subject) !== undefined) continue
    await runContractCase(contractCase, subject).catch(() => failures.push(contractCase.title))
  }
  return failures
}

function withoutTtl(answer: StoreAnswer): StoreAnswer {
  if (answer.result !== 'found') return answer
  const { ttl: _ttl, ...rest } = answer
  return rest
}

function withoutVersion(request: StoreRequest): StoreRequest {
  if (request.op !== 'replace') return request
  const { version: _version, ...rest } = request
  return rest
}

function overwrite(target: Buffer, value: Buffer): Buffer {
  value.copy(target)
  return target.subarray(0, value.length)
}

function stoppedClock(store: Store): Store['now'] {
  let stopped: number | undefined
  return async (sid, deadline) => {
    stopped ??= await store.now(sid, deadline)
    return stopped
  }
}

function closesOnce(store: Store): Partial<Store> {
  let closed = false
  return {
    async close() {
      if (closed) throw new ClosedError('The store')
      closed = true
      await store.close()
    },
  }
}
