import type { Addresses } from '../lib/addresses.js'
import { serve } from '../lib/remote.js'
import { type KeepingName, keepings } from './keepings.js'
import { cpu, listen } from './serving.js'
import { shop } from './shop.js'

const api = {
  /** Resolves with the port. */
  async open({ name, addresses }: { name: KeepingName; addresses: Addresses }): Promise<number> {
    return listen(shop(await keepings[name](addresses)))
  },
  cpu,
}

export type ServerApi = typeof api

serve(api)
