import { createHash } from 'node:crypto'

/** What rendezvous hashing needs to know of a server. */
export interface Candidate {
  readonly label: string
  readonly weight: number
}

/**
 * Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): the hash of its label and `id` gives each candidate a score, which its
 * weight raises, and the highest score wins. A candidate that joins or leaves moves no ids but its own share.
 *
 * @param candidates at least one
 */
export function chooseServer<C extends Candidate>(id: string, candidates: readonly C[]): C {
  let best = candidates[0] as C
  let highest = Number.NEGATIVE_INFINITY
  for (const candidate of candidates) {
    const score = -candidate.weight / Math.log(draw(candidate.label, id))
    if (score <= highest) continue
    best = candidate
    highest = score
  }
  return best
}

/** A number in (0, 1), the same for the same label and id in every process. */
function draw(label: string, id: string): number {
  const hash = createHash('sha256').update(`${label}\n${id}`).digest()
  return (hash.readUIntBE(0, 6) + 0.5) / 2 ** 48
}
