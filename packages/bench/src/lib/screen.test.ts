import { afterEach, expect, test, vi } from 'vitest'
import { asText, Screen } from './screen.js'

const grid = {
  caption: 'read one field',
  columns: ['', 'bytes'],
  rows: [
    ['memjs', '1,024'],
    ['Fieldwise', '233'],
  ],
}

afterEach(() => {
  vi.restoreAllMocks()
})

test('figures stand below each other', () => {
  expect(asText(grid)).toBe('read one field\n           bytes\nmemjs      1,024\nFieldwise    233')
})

test('figures are shown when they come, and once', () => {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  const screen = new Screen()
  expect(screen.show(grid)).toBe(grid)
  screen.show(grid)
  expect(written).toHaveBeenCalledExactlyOnceWith(`\n${asText(grid)}\n`)
})
