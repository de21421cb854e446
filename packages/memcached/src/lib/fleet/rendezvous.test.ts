import { describe, expect, test } from 'vitest'
import { chooseServer } from './rendezvous.js'

const ids = Array.from({ length: 20_000 }, (_, index) => `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`)
const fleet = (...weights: number[]) => weights.map((weight, index) => ({ label: `server-${index}`, weight }))

describe('weighted rendezvous hashing', () => {
  test('spreads ids by weight', () => {
    const servers = fleet(1, 2, 5)
    const counts = new Map<string, number>()
    for (const id of ids) {
      const { label } = chooseServer(id, servers)
      counts.set(label, (counts.get(label) ?? 0) + 1)
    }
    for (const { label, weight } of servers) expect((counts.get(label) ?? 0) / ids.length).toBeCloseTo(weight / 8, 1.7)
  })

  test('moves only the share of a server that joins', () => {
    const [before, after] = [fleet(1, 1, 1, 1), fleet(1, 1, 1, 1, 1)]
    const moved = ids.filter((id) => chooseServer(id, before).label !== chooseServer(id, after).label)
    expect(moved.length / ids.length).toBeCloseTo(0.2, 1.7)
    for (const id of moved) expect(chooseServer(id, after).label).toBe('server-4')
  })

  test('chooses by label and weight alone: every process the same, in whatever order it lists its servers', () => {
    const servers = fleet(3, 1, 2)
    for (const id of ids.slice(0, 500)) expect(chooseServer(id, servers.toReversed())).toBe(chooseServer(id, servers))
  })
})
