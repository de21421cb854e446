import { type Footprint, footprint } from '../lean/counting.js'
import type { Addresses } from '../lib/addresses.js'
import type { Sample } from '../lib/meter.js'
import { serve } from '../lib/remote.js'
import { type Client, type Kind, kinds } from './client.js'
import { type ClientName, clients } from './clients.js'

let client: Client | undefined

const api = {
  /** Code is compiled by what it meets: it meets everything for `warmUp` milliseconds before anything counts. */
  async open({ name, addresses, warmUp }: { name: ClientName; addresses: Addresses; warmUp: number }): Promise<void> {
    client = await clients[name](addresses)
    for (const kind of kinds) await client.measure(kind, 64, warmUp / kinds.length)
  },
  measure: ({ kind, inFlight, milliseconds }: { kind: Kind; inFlight: number; milliseconds: number }): Promise<Sample> =>
    expectOpen().measure(kind, inFlight, milliseconds),
  footprint: ({ kind, milliseconds }: { kind: Kind; milliseconds: number }): Promise<Footprint> =>
    footprint(() => expectOpen().measure(kind, 64, milliseconds)),
}

export type ClientsApi = typeof api

serve(api)

function expectOpen(): Client {
  if (client === undefined) throw new Error('open a client first')
  return client
}
