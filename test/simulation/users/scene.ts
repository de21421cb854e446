import { decodeHeader } from '../../../packages/fieldwise/src/lib/format/header.js'
import { plainListName } from '../../../packages/fieldwise/src/lib/format/user-list.js'
import type { UsersOptions } from '../../../packages/fieldwise/src/lib/session/settings.js'
import type { Operation } from '../history.js'
import { type SimulatedSessions, sessionsOn, type Visitor } from '../visitor.js'
import type { Host, World } from '../world.js'

/** What there is in one history of users. */
export interface Scene {
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
  readonly max: number | undefined
  /** A login that would be one too many is refused. */
  readonly refuses: boolean
  /** The network does all it should: no attempt to create a session fails and leaves one that nobody has the token of. */
  readonly isFair: boolean
  /** Items are evicted and servers restart. */
  readonly isUnsafe: boolean
  readonly names: readonly string[]
  readonly known: Known[]
  readonly ends: End[]
  readonly lists: { readonly operation: Operation; readonly user: string }[]
  /** Whose logins were made by a process that is not configured for users, and so keeps no limit. */
  readonly unlimited: string[]
  /** The ids of sessions that were created for a user, by the user. A creation whose answer was lost leaves one that nobody can open. */
  readonly created: ReadonlyMap<string, readonly string[]>
  /** When items were lost. */
  readonly losses: number[]
}

/** One session that somebody tried to bind to a user. */
export interface Known {
  readonly user: string
  sid: string
  token: string
  /** When it was created at the earliest. */
  readonly born: number
  /** When the first call began that was to bind it, and the call that did. */
  readonly begun: number
  login: Operation
  /** Whether it was created for its user. */
  readonly isCreated: boolean
  /** How long it lives, in milliseconds, if it is short. */
  absolute: number | undefined
  readonly uses: Operation[]
  readonly handles: Visitor[]
  /** From when on its token is not known for certain, or it was destroyed. */
  blurred: number
  /** When its secret was last changed. */
  renewed: number
  destroyed: Operation | undefined
}

export interface End {
  readonly operation: Operation
  readonly user: string
  readonly kept: Known | undefined
}

export function begin(world: World, isFair: boolean): Scene {
  const { random } = world
  for (let more = random.below(3); more > 0; more--) world.addServer(random.pick([0, 0, 3.6e6, -3.6e6]))
  const traits = { reportsTtl: random.chance(0.5), comparesVersions: random.chance(0.5) }
  const hosts = Array.from({ length: 1 + random.below(3) }, () =>
    world.host({ traits, fleet: true, skew: random.pick([-3.6e6, 0, 3.6e6]) }),
  )
  const max = random.pick([undefined, undefined, 1, 2, 3])
  const refuses = max !== undefined && random.chance(0.3)
  const users: UsersOptions | undefined = max === undefined ? undefined : { max, whenFull: refuses ? 'refuse' : 'end-oldest' }
  const systems = hosts.map((host) => sessionsOn(host, { users }))
  const names = random.chance(0.7) ? ['ada'] : ['ada', 'bob']
  return {
    hosts,
    systems,
    max,
    refuses,
    isFair,
    isUnsafe: !isFair && random.chance(0.4),
    names,
    known: [],
    ends: [],
    lists: [],
    unlimited: [],
    created: createdOn(world, names),
    losses: [],
  }
}

function createdOn(world: World, names: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const created = new Map(names.map((name): [string, string[]] => [name, []]))
  const byList = new Map(names.map((name) => [plainListName(name), name]))
  for (const network of world.networks) {
    network.witness = (_endpoint, command) => {
      if (command.op !== 'add' || !command.key.endsWith(':@')) return
      const { user } = decodeHeader(command.value)
      if (user) created.get(byList.get(user.list) as string)?.push(command.key.slice(0, -2))
    }
  }
  return created
}

/** One that somebody has the token of. */
export function pick(world: World, scene: Scene): Known | undefined {
  const usable = scene.known.filter(({ token }) => token !== '')
  return usable.length === 0 ? undefined : world.random.pick(usable)
}
