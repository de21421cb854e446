import { expect, test } from 'vitest'
import { Generations } from './generations.js'

const heavy = (weight: number) => ({ weight })

test('what was remembered is found until half of what fits was remembered since, and not when all of it was', () => {
  const cache = new Generations(100)
  for (const key of ['first', 'second', 'third']) cache.remember(key, heavy(20))
  expect(cache.find('first')).toBeDefined()
  for (const key of ['a', 'b', 'c', 'd', 'e']) cache.remember(key, heavy(20))
  expect(cache.find('first')).toBeUndefined()
})

test('what is asked for stays', () => {
  const cache = new Generations(100)
  cache.remember('asked for', heavy(10))
  for (let index = 0; index < 100; index++) {
    cache.remember(String(index), heavy(10))
    expect(cache.find('asked for')).toBeDefined()
  }
})

test('what is remembered again counts once, with its new weight', () => {
  const cache = new Generations(100)
  cache.remember('another', heavy(10))
  for (let index = 0; index < 100; index++) cache.remember('again', heavy(30))
  expect(cache.find('another')).toBeDefined()
})

test('what was forgotten takes no room', () => {
  const cache = new Generations(100)
  cache.remember('first', heavy(10))
  for (let index = 0; index < 100; index++) {
    cache.remember('forgotten', heavy(30))
    cache.forget('forgotten')
  }
  expect(cache.find('forgotten')).toBeUndefined()
  expect(cache.find('first')).toBeDefined()
})
