import { serve } from '../../lib/remote.js'
import { type Route, type ServedCount, Visitors } from './visitors.js'

const groups = new Map<string, Visitors>()

interface Arrival {
  readonly group: string
  readonly port: number
  readonly connections: number
  readonly visitors: number
}

const api = {
  async arrive({ group, port, connections, visitors }: Arrival): Promise<void> {
    groups.set(group, await Visitors.arrive(port, connections, visitors))
  },
  measure: ({ group, route, milliseconds }: { group: string; route: Route; milliseconds: number }): Promise<ServedCount> =>
    visitorsOf(group).measure(route, milliseconds),
  visits: ({ group }: { group: string }): Promise<number> => visitorsOf(group).visits(),
}

export type LoadApi = typeof api

serve(api)

function visitorsOf(group: string): Visitors {
  const visitors = groups.get(group)
  if (visitors === undefined) throw new Error(`nobody has arrived as '${group}'`)
  return visitors
}
