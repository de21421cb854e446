import type { Addresses } from '../lib/addresses.js'
import { serve } from '../lib/remote.js'
import type { StoreProtocol } from '../lib/store.js'
import { fieldwise } from '../servers/fieldwise.js'
import { cpu, listen } from '../servers/serving.js'
import { shop } from '../servers/shop.js'

interface Opening {
  readonly addresses: Addresses
  readonly protocol: StoreProtocol
  /** Whether each visitor's session is bound to a user. */
  readonly isBound: boolean
}

const api = {
  /** Resolves with the port. */
  open({ addresses, protocol, isBound }: Opening): Promise<number> {
    return listen(shop(fieldwise(addresses, protocol, false, isBound)))
  },
  cpu,
}

export type UsersApi = typeof api

serve(api)
