import { indexOf } from '../clients/client.js'
import type { Addresses } from '../lib/addresses.js'
import { measure, type Sample } from '../lib/meter.js'
import { serve } from '../lib/remote.js'
import { type Sharer, type SharerName, sharers } from './counters.js'

export type Kind = 'increment of 1,024 counters' | 'increment of one counter' | 'cache hit'

let sharer: Sharer | undefined

const api = {
  async open({ name, addresses, warmUp }: { name: SharerName; addresses: Addresses; warmUp: number }): Promise<readonly Kind[]> {
    const opened: Sharer = await sharers[name](addresses)
    sharer = opened
    const kinds: Kind[] = [
      'increment of 1,024 counters',
      'increment of one counter',
      ...(opened.read ? ['cache hit' as const] : []),
    ]
    for (const kind of kinds) await measureKind(opened, kind, 64, warmUp / kinds.length)
    return kinds
  },
  measure: ({ kind, inFlight, milliseconds }: { kind: Kind; inFlight: number; milliseconds: number }): Promise<Sample> =>
    measureKind(expectOpen(), kind, inFlight, milliseconds),
  /** Counts so often that no time can cut it short, and says what the counter has grown by. */
  async grown(operations: number): Promise<number> {
    const before = await expectOpen().increment('exact')
    let left = operations - 1
    const run = async () => {
      while (left-- > 0) await expectOpen().increment('exact')
    }
    await Promise.all(Array.from({ length: 64 }, run))
    return (await expectOpen().increment('exact')) - before
  },
}

export type SharedApi = typeof api

serve(api)

function measureKind(sharer: Sharer, kind: Kind, inFlight: number, milliseconds: number): Promise<Sample> {
  switch (kind) {
    case 'increment of 1,024 counters':
      return measure(inFlight, milliseconds, (slot, turn) => sharer.increment(`${indexOf(slot, turn, inFlight)}`))
    case 'increment of one counter':
      return measure(inFlight, milliseconds, () => sharer.increment('hot'))
    case 'cache hit':
      return measure(inFlight, milliseconds, (slot, turn) => readBy(sharer, `${indexOf(slot, turn, inFlight)}`))
  }
}

function readBy(sharer: Sharer, id: string): Promise<unknown> {
  if (sharer.read === undefined) throw new Error('it has no cache')
  return sharer.read(id)
}

function expectOpen(): Sharer {
  if (sharer === undefined) throw new Error('open a sharer first')
  return sharer
}
