import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../simulation/random.js'
import type { FaultProxy } from '../support/fault-proxy.js'
import type { ClientProcess } from './clients.js'
import type { Server } from './server.js'

/** What was done to clients, servers and the ways between them. */
export interface Deeds {
  coldRestarts: number
  warmRestarts: number
  pauses: number
  kills: number
  cuts: number
  evicted: number
}

/** A client that may be struck, and its ways to the servers. */
export interface Seat {
  client: ClientProcess
  readonly ways: readonly FaultProxy[]
}

/** Whom there is to strike. */
export interface Scene {
  readonly seats: readonly Seat[]
  readonly servers: readonly [Server, Server]
  /** Ends the client of a seat at once, and puts another in its place. */
  replace(seat: Seat): void
}

/** Strikes whom a seed says, when it says. Who is struck is the same each time; what they are doing then is not. */
export async function torment(scene: Scene, random: Random, span: number): Promise<Deeds> {
  const nemesis = new Nemesis(scene, random, span)
  await Promise.all(
    nemesis.plan().map(async ({ at, strike }) => {
      await sleep(at)
      await strike()
    }),
  )
  return nemesis.deeds
}

/** What happens, in milliseconds after the beginning. */
interface Act {
  readonly at: number
  readonly strike: () => Promise<void>
}

class Nemesis {
  readonly deeds: Deeds = { coldRestarts: 0, warmRestarts: 0, pauses: 0, kills: 0, cuts: 0, evicted: 0 }
  readonly #scene: Scene
  readonly #random: Random
  readonly #span: number

  constructor(scene: Scene, random: Random, span: number) {
    this.#scene = scene
    this.#random = random
    this.#span = span
  }

  plan(): Act[] {
    const { servers, seats } = this.#scene
    // A server that has lost its memory says nothing of those that keep it, so different ones restart warm and cold.
    const [warm, cold] = this.#random.chance(0.5) ? servers : [servers[1], servers[0]]
    const acts = [this.#restartWarm(warm), ...servers.map((server) => this.#freeze(server))]
    const losses = this.#random.pick([['restart'], ['fill'], ['restart', 'fill']])
    if (losses.includes('restart')) acts.push(this.#restartCold(cold))
    if (losses.includes('fill')) acts.push(this.#fill(cold))
    for (const seat of seats) acts.push(this.#pause(seat, [20, 100, 400]), this.#pause(seat, [700, 1_500]))
    acts.push(this.#cutOff(this.#random.pick(seats)), this.#kill(this.#random.pick(seats)))
    return acts
  }

  #restartWarm(server: Server): Act {
    return this.#within(0.5, async () => {
      if (await server.restartWarm()) this.deeds.warmRestarts++
      else this.deeds.coldRestarts++
    })
  }

  #restartCold(server: Server): Act {
    const away = this.#random.pick([0, 50, 300])
    return this.#within(0.9, async () => {
      await server.restartCold(away)
      this.deeds.coldRestarts++
    })
  }

  #fill(server: Server): Act {
    return this.#within(0.6, async () => {
      this.deeds.evicted += await server.fill()
    })
  }

  #freeze(server: Server): Act {
    const length = this.#random.pick([50, 250, 400, 900])
    return this.#within(0.8, async () => {
      await server.freeze(length)
      this.deeds.pauses++
    })
  }

  #pause({ client }: Seat, lengths: readonly number[]): Act {
    const length = this.#random.pick(lengths)
    return this.#within(0.8, async () => {
      client.pause()
      await sleep(length)
      client.resume()
      this.deeds.pauses++
    })
  }

  #cutOff({ ways }: Seat): Act {
    const [way, how] = [this.#random.pick(ways), this.#random.pick(['reset', 'black-hole'] as const)]
    const length = this.#random.pick([100, 400, 1_000])
    return this.#within(0.7, async () => {
      way.cutOff(how)
      await sleep(length)
      way.heal()
      this.deeds.cuts++
    })
  }

  #kill(seat: Seat): Act {
    return this.#within(0.9, async () => {
      this.#scene.replace(seat)
      this.deeds.kills++
    })
  }

  /** At some moment of the first part of the scenario. */
  #within(share: number, strike: Act['strike']): Act {
    return { at: this.#random.between(0, this.#span * share), strike }
  }
}
