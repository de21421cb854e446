import type { Random } from '../simulation/random.js'
import { drawFault, type Fate, FaultProxy, type Link } from '../support/fault-proxy.js'
import type { Protocol } from '../support/scripted-server.js'

/** How bad the network is: after how many bytes, more or less, a connection fails, and how many requests meet with a fate of their own. */
export interface Weather {
  readonly bytes: number
  readonly share: number
}

export function drawWeather(random: Random): Weather {
  return random.pick([
    { bytes: Number.POSITIVE_INFINITY, share: 0 },
    { bytes: 20_000, share: 0.01 },
    { bytes: 5_000, share: 0.04 },
  ])
}

/**
 * A client's way to a server. Connections are cut at any byte; requests and answers are lost, or wait, and some of those arrive when the
 * client has long given up.
 */
export function startWay(target: string, protocol: Protocol, { bytes, share }: Weather, random: Random): Promise<FaultProxy> {
  const judge = ({ link }: { link: Link }): Fate => {
    if (!random.chance(share)) return 'pass'
    const fate = random.pick(['swallow', 'swallow and reset', 'lose', 'hold', 'hold'] as const)
    if (fate === 'hold') setTimeout(() => link.release(), random.below(1_200)).unref()
    return fate
  }
  const plan = (link: Link) => {
    if (Number.isFinite(bytes)) drawFault(link, random, bytes)
  }
  return FaultProxy.start({ target, protocol, judge, plan })
}
