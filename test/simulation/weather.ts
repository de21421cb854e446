import { calm, type Faults } from './network.js'
import type { Random } from './random.js'
import type { Host, World } from './world.js'

/** How bad the network of one history is: a third of them have none of these faults, so that false alarms show. */
export function drawFaults(random: Random): Faults {
  const latency = random.pick([0.2, 1, 5, 25])
  switch (random.weighted({ fair: 3, splitting: 2, unsteady: 3, foul: 2 })) {
    case 'fair':
      return { ...calm, latency }
    case 'splitting':
      return { ...calm, latency, split: 0.4 }
    case 'unsteady':
      return { latency, split: 0.1, stall: 0.03, lose: 0.01, reset: 0.03 }
    case 'foul':
      return { latency, split: 0.3, stall: 0.1, lose: 0.05, reset: 0.1 }
  }
}

/** Pauses, cuts and crashes that strike the processes at some time within `span` milliseconds. */
export function scheduleAccidents(world: World, hosts: readonly Host[], span: number): void {
  const { random } = world
  const count = random.weighted({ '0': 4, '1': 2, '3': 1 })
  for (let left = Number(count); left > 0; left--) {
    const host = random.pick(hosts)
    const length = random.pick([5, 100, 600, 3_000, 20_000])
    const strike = random.weighted({ pause: 4, partition: 4, crash: 1 })
    world.later(random.between(0, span), () => {
      if (strike === 'pause') host.pause(length)
      else if (strike === 'partition') host.partition(length)
      else host.crash()
    })
  }
}

/** Ends all faults and waits until what was late has arrived. */
export async function clearUp(world: World): Promise<void> {
  world.setFaults(calm)
  await world.sleep(150_000)
}
