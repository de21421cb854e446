import { createSessions, memoryStore } from 'fieldwise'
import { tokenOfExternalId } from 'fieldwise/adapter'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { SteppingStore } from '../../../../../test/support/stepping-store.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import { Store } from '../../express-session.js'
import { AppRequest, expressSession, middleware } from '../../testing/express-session.js'
import { gate } from '../../testing/scripted-store.js'
import type { OldStore } from './migration.js'

const schema = z.object({ visits: z.int() }).catchall(z.json())

let old: InstanceType<typeof expressSession.MemoryStore>
let shared: ReturnType<typeof memoryStore>
let web: SteppingStore
let store: ReturnType<typeof storeOn>
let other: ReturnType<typeof storeOn>

beforeEach(() => {
  old = new expressSession.MemoryStore()
  middleware(old)
  shared = memoryStore()
  web = process()
  store = storeOn(web)
  other = storeOn(process())
})

/** What another web server has of the sessions that all of them share. */
function process(): SteppingStore {
  return new SteppingStore(shared, {
    running: () => performance.now(),
    sleep: (milliseconds) => new Promise((wake) => setTimeout(wake, milliseconds)),
  })
}

function storeOn(items: SteppingStore, readThrough: OldStore = old, fields = schema) {
  const made = new Store(createSessions({ schema: fields, store: items }), { readThrough })
  middleware(made)
  return made
}

/** The id of a session that is in the old store. */
async function storedBefore(properties: object, at: Parameters<typeof AppRequest.begin>[0] = old): Promise<string> {
  const request = AppRequest.begin(at)
  Object.assign(request.session, properties)
  await request.save()
  return request.session.id
}

const propertiesOf = (request: AppRequest | undefined) =>
  request && JSON.parse(JSON.stringify({ ...request.session, cookie: undefined }))

/** Lets flights through, in order, up to the one with this in it. */
async function deliverUntil(what: string): Promise<void> {
  while (!web.held.some((flight) => String(flight).includes(what))) {
    await web.held[0]?.deliver()
    await turn()
  }
}

function destroy(id: string): Promise<void> {
  return new Promise((resolve) => other.destroy(id, () => resolve()))
}

/** The old store, whose next answer waits until what is returned is called. */
function slowOldStore() {
  const { promise, open } = gate()
  const slow: OldStore = {
    get: (id, callback) => old.get<object>(id, (error, session) => void promise.then(() => callback(error, session))),
    destroy: (id, callback) => old.destroy(id, callback),
  }
  return { slow, open }
}

describe('a session of the old store', () => {
  test('is found under its id, cookie and all, and goes on here', async () => {
    middleware(old, { cookie: { maxAge: 60_000 } })
    const id = await storedBefore({ user: 'ada', visits: 1, 'a.b': [] })
    const get = vi.spyOn(old, 'get')
    const request = (await AppRequest.come(store, id)) as AppRequest
    expect(propertiesOf(request)).toEqual({ user: 'ada', visits: 1, 'a.b': [] })
    expect(request.session.cookie.originalMaxAge).toBe(60_000)
    request.session.visits = 2
    await request.save()
    expect(propertiesOf(await AppRequest.come(other, id))).toEqual({ user: 'ada', visits: 2, 'a.b': [] })
    expect(get).toHaveBeenCalledTimes(1)
  })

  test('that several requests and processes ask for at once is there for all of them, whole, and loses nothing', async () => {
    const id = await storedBefore({ user: 'ada' })
    const requests = await Promise.all([store, other, store, other].map((at) => AppRequest.come(at, id)))
    expect(requests.map(propertiesOf)).toEqual(requests.map(() => ({ user: 'ada' })))
    requests.forEach((request, index) => {
      if (request) request.session[`field${index}`] = index
    })
    await Promise.all(requests.map((request) => request?.save()))
    expect(propertiesOf(await AppRequest.come(store, id))).toEqual({ user: 'ada', field0: 0, field1: 1, field2: 2, field3: 3 })
  })

  test('is not seen by halves while it is brought over', async () => {
    const id = await storedBefore({ user: 'ada', visits: 1 })
    web.holding = true
    const bringing = AppRequest.come(store, id)
    await deliverUntil('add cookie')
    let isSeen = false
    const meanwhile = AppRequest.come(other, id).finally(() => {
      isSeen = true
    })
    await turn()
    expect(isSeen).toBe(false)
    await web.release()
    expect(propertiesOf(await meanwhile)).toEqual({ user: 'ada', visits: 1 })
    expect(propertiesOf(await bringing)).toEqual({ user: 'ada', visits: 1 })
  })

  test('ends in both stores', async () => {
    const id = await storedBefore({ user: 'ada' })
    await (await AppRequest.come(store, id))?.destroy()
    expect(await AppRequest.come(other, id)).toBeUndefined()
    expect(await AppRequest.come(old, id)).toBeUndefined()
  })

  test('that has ended is not brought back by a request that had asked for it before', async () => {
    const id = await storedBefore({ user: 'ada' })
    const { slow, open } = slowOldStore()
    const late = AppRequest.come(storeOn(process(), slow), id)
    await turn()
    await (await AppRequest.come(store, id))?.destroy()
    open()
    expect(await late).toBeUndefined()
  })

  test('that ends while it is brought over is none', async () => {
    const id = await storedBefore({ user: 'ada' })
    web.holding = true
    const bringing = AppRequest.come(store, id)
    await deliverUntil('add cookie')
    await destroy(id)
    await web.release()
    expect(await bringing).toBeUndefined()
    expect(await AppRequest.come(other, id)).toBeUndefined()
  })

  test('that was ended before anybody used it here is not brought over either', async () => {
    const id = await storedBefore({ user: 'ada' })
    const { slow, open } = slowOldStore()
    const late = AppRequest.come(storeOn(process(), slow), id)
    await turn()
    await destroy(id)
    open()
    expect(await late).toBeUndefined()
  })

  test('is not read a second time, as it once was, when it has been lost here', async () => {
    const id = await storedBefore({ role: 'admin' })
    const request = (await AppRequest.come(store, id)) as AppRequest
    request.session.role = 'visitor'
    await request.save()
    const sessions = createSessions({ schema, store: web })
    const [sid] = tokenOfExternalId(sessions, id).split('.') as [string]
    await shared.flight(sid, [{ op: 'delete', key: `${sid}:@` }], Number.POSITIVE_INFINITY)
    web.takeLog()
    expect(await AppRequest.come(store, id)).toBeUndefined()
    expect(web.flights.length).toBeLessThanOrEqual(4)
  })

  test('that does not fit the schema is an error until it does', async () => {
    const id = await storedBefore({ visits: 'many' })
    await expect(AppRequest.come(store, id)).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    const wider = z.object({ visits: z.union([z.int(), z.string()]) }).catchall(z.json())
    const mended = storeOn(process(), old, wider as never)
    expect(propertiesOf(await AppRequest.come(mended, id))).toEqual({ visits: 'many' })
  })

  test('that is in neither store is none, whatever way the old store says so', async () => {
    expect(await AppRequest.come(store, 'nobody')).toBeUndefined()
    const enoent = Object.assign(new Error('no such file'), { code: 'ENOENT' })
    const files: OldStore = { get: (_id, callback) => callback(enoent), destroy: (_id, callback) => callback() }
    expect(await AppRequest.come(storeOn(web, files), 'nobody')).toBeUndefined()
  })
})

test('an outage of the old store is an error, not a visitor without a session', async () => {
  const id = await storedBefore({ user: 'ada' })
  const down: OldStore = { get: (_id, callback) => callback(new Error('down')), destroy: (_id, callback) => callback() }
  await expect(AppRequest.come(storeOn(web, down), id)).rejects.toThrow('down')
  expect(propertiesOf(await AppRequest.come(store, id))).toEqual({ user: 'ada' })
})

test('the old store may be one of ours, on the servers that were there before', async () => {
  const before = new Store(createSessions({ schema }))
  middleware(before)
  const id = await storedBefore({ user: 'ada' }, before)
  expect(propertiesOf(await AppRequest.come(storeOn(web, before), id))).toEqual({ user: 'ada' })
})
