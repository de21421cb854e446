import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Addresses } from '../lib/addresses.js'
import { serve } from '../lib/remote.js'
import { type KeepingName, keepings } from './keepings.js'
import { shop } from './shop.js'

const api = {
  /** Resolves with the port. */
  async open({ name, addresses }: { name: KeepingName; addresses: Addresses }): Promise<number> {
    const server = shop(await keepings[name](addresses)).listen(0, '127.0.0.1')
    // Connections wait until it is their candidate's turn again.
    Object.assign(server, { headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 })
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  /** Seconds of processor time that this process has used so far. */
  cpu(_: null): number {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000_000
  },
}

export type ServerApi = typeof api

serve(api)
