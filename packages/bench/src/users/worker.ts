import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Addresses } from '../lib/addresses.js'
import { serve } from '../lib/remote.js'
import type { StoreProtocol } from '../lib/store.js'
import { fieldwise } from '../servers/fieldwise.js'
import { shop } from '../servers/shop.js'

interface Opening {
  readonly addresses: Addresses
  readonly protocol: StoreProtocol
  /** Whether each visitor's session is bound to a user. */
  readonly isBound: boolean
}

const api = {
  /** Resolves with the port. */
  async open({ addresses, protocol, isBound }: Opening): Promise<number> {
    const server = shop(fieldwise(addresses, protocol, false, isBound)).listen(0, '127.0.0.1')
    // Connections wait until it is their turn again.
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

export type UsersApi = typeof api

serve(api)
