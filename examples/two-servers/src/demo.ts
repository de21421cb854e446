import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type Addresses, type Origins, originOf, type Site } from './addresses.js'
import { PrivateMemcached } from './memcached.js'
import type { Options } from './options.js'
import { Program } from './program.js'
import type { Order } from './serve.js'

/** All servers of the demo, running. */
export interface Demo {
  readonly addresses: Addresses
  /** What the servers keep sessions in, for people. */
  readonly storeName: string
  /** Rejects when a server ends on its own. */
  failure(): Promise<never>
  /** Ends every process that was started. */
  stop(): Promise<void>
}

export async function startDemo(options: Options): Promise<Demo> {
  const running: { stop(): Promise<void> }[] = []
  const stop = async () => {
    for (const part of running.reverse()) await part.stop()
  }
  try {
    const store = await openStore(options.store)
    if (store.own !== undefined) running.push(store.own)
    const orders = ordersFor(store, await firstPort(options))
    const fieldwise = orders.fieldwise.map((order) => new Program('./web-servers.js', order))
    const expressSession = orders.expressSession.map((order) => new Program('./express-session/servers.js', order))
    const programs = [...fieldwise, ...expressSession]
    running.push(...programs)
    const [ours, theirs] = await Promise.all([originsOf(fieldwise), originsOf(expressSession)])
    const addresses = { fieldwise: ours, expressSession: theirs }
    await Promise.all(programs.map((program) => program.open(addresses)))
    const failure = () => Promise.race(programs.map((program) => program.failure()))
    return { addresses, storeName: store.name, failure, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

interface StoreChoice {
  readonly name: string
  /** `host:port`; undefined for the embedded store. */
  readonly memcached?: string
  /** The memcached that the demo has started for itself. */
  readonly own?: PrivateMemcached
}

async function openStore(wish: string | undefined): Promise<StoreChoice> {
  if (wish === 'memory') return embedded
  if (wish !== undefined && wish !== 'memcached') return { name: `memcached on ${wish}, two processes`, memcached: wish }
  const own = await PrivateMemcached.start()
  if (own !== undefined) return { name: `a private memcached on ${own.address}, two processes`, memcached: own.address, own }
  if (wish === 'memcached') throw new Error('The program memcached is not installed; --store memory does without it')
  return embedded
}

const embedded: StoreChoice = { name: 'the embedded memory store, one process' }

/** Two processes can share memcached. The embedded store lives in one, and so do both servers then. */
function ordersFor({ name, memcached }: StoreChoice, firstPort: number) {
  const shared = { storeName: name, memcached, secret: randomBytes(32).toString('hex') }
  const split = (ports: Record<Site, number>): Order[] =>
    memcached === undefined
      ? [{ ...shared, ports }]
      : [
          { ...shared, ports: { www: ports.www } },
          { ...shared, ports: { avatar: ports.avatar } },
        ]
  return {
    fieldwise: split({ www: firstPort, avatar: firstPort === 0 ? 0 : firstPort + 1 }),
    expressSession: split({ www: 0, avatar: 0 }),
  }
}

async function originsOf(programs: readonly Program[]): Promise<Origins> {
  const ports = await Promise.all(programs.map((program) => program.listening()))
  const origins = ports
    .flatMap((of) => Object.entries(of) as [Site, number][])
    .map(([site, port]) => [site, originOf(site, port)])
  return Object.fromEntries(origins)
}

/** 0 stands for any free port. */
async function firstPort({ port, once }: Options): Promise<number> {
  if (port === undefined) return !once && (await bothFree(4100)) ? 4100 : 0
  if (await bothFree(port)) return port
  throw new Error(`Port ${port} or ${port + 1} is in use; choose another one with --port`)
}

async function bothFree(port: number): Promise<boolean> {
  return (await isFree(port)) && (await isFree(port + 1))
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1')
  try {
    await once(probe, 'listening')
    return true
  } catch {
    return false
  } finally {
    probe.close()
  }
}
