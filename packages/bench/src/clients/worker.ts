import type { Sample } from '../lib/meter.js'
import { serve } from '../lib/remote.js'
import type { Addresses, Client, Kind } from './client.js'
import { type ClientName, clients } from './clients.js'

let client: Client | undefined

const api = {
  async open({ name, addresses }: { name: ClientName; addresses: Addresses }): Promise<void> {
    client = await clients[name](addresses)
  },
  async measure({ kind, inFlight, milliseconds }: { kind: Kind; inFlight: number; milliseconds: number }): Promise<Sample> {
    if (client === undefined) throw new Error('open a client first')
    return client.measure(kind, inFlight, milliseconds)
  },
}

export type ClientsApi = typeof api

serve(api)
