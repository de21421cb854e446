import { Chance, isFull } from './scale.js'
import type { HeldFlight, SteppingStore } from './stepping-store.js'
import { turn } from './virtual-time.js'
import type { World } from './world.js'

/** Picks one of so many alternatives. */
export type Choose = (alternatives: number) => number

type Play = (choose: Choose) => Promise<void>

/** `npm test` plays so many in order and, where there are more, as many again that are drawn by chance. */
const some = 100

/** Plays a scene once for every sequence of choices that it asks for, below full size for some of them. Returns how often that was. */
export async function everyChoice(play: Play): Promise<number> {
  const path: number[] = []
  for (let plays = 1; ; plays++) {
    const widths = await playAlong(path, play, () => 0)
    while (path.length > 0 && (path.at(-1) as number) + 1 >= (widths[path.length - 1] as number)) path.pop()
    if (path.length === 0) return plays
    if (plays === some && !isFull) return plays + (await choicesByChance(play))
    path.push((path.pop() as number) + 1)
  }
}

async function choicesByChance(play: Play): Promise<number> {
  const chance = new Chance('sequences of choices')
  for (let plays = 0; plays < some; plays++) await playAlong([], play, (alternatives) => chance.below(alternatives))
  return some
}

/** Makes the choices of `path`, and adds those that it makes beyond them. Returns among how many alternatives each was made. */
async function playAlong(path: number[], play: Play, beyond: Choose): Promise<number[]> {
  const widths: number[] = []
  const choose = (alternatives: number): number => {
    const depth = widths.push(alternatives) - 1
    path[depth] ??= beyond(alternatives)
    return path[depth]
  }
  try {
    await play(choose)
  } catch (error) {
    throw new Error(`after the choices ${JSON.stringify(path)}: ${(error as Error).message}`, { cause: error })
  }
  path.length = widths.length
  return widths
}

/**
 * Carries out what the processes hold, request by request in the order that is chosen, until `work` has settled and nobody has anything
 * left to do.
 */
export async function interleave(
  world: World,
  stores: readonly SteppingStore[],
  work: Promise<unknown>,
  choose: Choose,
): Promise<void> {
  await carryOut(world, stores, work, async (held) => {
    const flight = held[held.length === 1 ? 0 : choose(held.length)] as HeldFlight
    await flight.step()
  })
}

/** The ways in which one flight can go wrong. */
type Fault = 'its request is lost' | 'its answer is lost' | 'it comes late' | 'it never leaves'

/**
 * Like {@link interleave}, flight by flight, but one of all flights (or as many as `most`) goes wrong, at any place and in any way. What
 * comes late arrives at any later moment.
 */
export async function interleaveWithFault(
  world: World,
  stores: readonly SteppingStore[],
  work: Promise<unknown>,
  choose: Choose,
  most = 1,
): Promise<void> {
  const late: (() => Promise<void>)[] = []
  let failed = 0
  await carryOut(world, stores, work, async (held) => {
    const ways = failed < most ? faults.length : 1
    const alternatives = held.length * ways + late.length
    const choice = alternatives === 1 ? 0 : choose(alternatives)
    const flight = held[Math.floor(choice / ways)]
    if (flight === undefined) return late.splice(choice - held.length * ways, 1)[0]?.()
    const fault = faults[choice % ways]
    if (fault === undefined) return flight.deliver()
    failed++
    if (fault === 'its request is lost') flight.loseRequest()
    else if (fault === 'its answer is lost') await flight.loseAnswer()
    else if (fault === 'it comes late') late.push(flight.delay())
    else flight.refuse()
  })
  for (const arrive of late) await arrive()
}

const faults: readonly (Fault | undefined)[] = [
  undefined,
  'its request is lost',
  'its answer is lost',
  'it comes late',
  'it never leaves',
]

async function carryOut(
  world: World,
  stores: readonly SteppingStore[],
  work: Promise<unknown>,
  next: (held: readonly HeldFlight[]) => Promise<void>,
): Promise<void> {
  let isSettled = false
  const settled = () => {
    isSettled = true
  }
  work.then(settled, settled)
  for (;;) {
    await turn()
    const held = stores.flatMap((store) => store.held)
    if (held.length > 0) await next(held)
    else if (!world.time.wakeNext()) break
  }
  if (!isSettled) throw new Error('It waits for something that never comes')
}
