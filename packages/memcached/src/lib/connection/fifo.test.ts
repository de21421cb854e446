import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fifo } from './fifo.js'

describe('a queue', () => {
  test('behaves as an array does that is pushed and shifted', () => {
    const pushOrShift = fc.oneof(
      { weight: 3, arbitrary: fc.nat(1_000).map((count) => count + 1) },
      { weight: 2, arbitrary: fc.nat(1_500).map((count) => -count) },
    )
    fc.assert(
      fc.property(fc.array(pushOrShift, { maxLength: 20 }), (steps) => {
        const fifo = new Fifo<number>()
        const model: number[] = []
        let next = 0
        for (const step of steps) {
          for (let count = 0; count < step; count++) {
            fifo.push(next)
            model.push(next++)
          }
          for (let count = Math.min(-step, model.length); count > 0; count--) {
            if (fifo.first !== model.shift()) throw new Error('the order was lost')
            fifo.shift()
          }
          expect(fifo.size).toBe(model.length)
        }
        expect([...fifo]).toEqual(model)
        expect(fifo.drain()).toEqual(model)
        expect(fifo.size).toBe(0)
        expect(fifo.first).toBeUndefined()
      }),
    )
  })
})
