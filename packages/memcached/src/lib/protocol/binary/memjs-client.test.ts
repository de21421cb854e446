import { StoreUnavailableError } from 'fieldwise'
import memjs from 'memjs'
import { afterEach, expect, test, vi } from 'vitest'
import { frameStart, MemjsClient } from './memjs-client.js'

afterEach(() => {
  vi.restoreAllMocks()
})

test('a request that fails is told to whoever asked, once; it is neither sent again nor logged', () => {
  const log = vi.spyOn(console, 'log')
  const perform = vi.spyOn(memjs.Client.prototype, 'perform')
  const settle = vi.fn()
  const client = new MemjsClient()
  const error = new StoreUnavailableError('gone')
  client.perform(['request'], client.nextOpaque(), settle).reject(error)
  expect(settle.mock.calls).toEqual([[error, null]])
  expect(perform).toHaveBeenCalledTimes(1)
  expect(log).not.toHaveBeenCalled()
})

test('each request leaves in the parts in which it came, with a number of its own', () => {
  const client = new MemjsClient()
  const parts = ['head', Buffer.from('value')]
  const [first, second] = [client.nextOpaque(), client.nextOpaque()]
  expect(second).toBe(first + 1)
  expect(client.perform(parts, second, () => {}).parts).toBe(parts)
})

test('what a request begins with is built once for each opcode and length of a key', () => {
  const build = vi.spyOn(memjs.Utils, 'makeRequestBuffer')
  const forms = [
    [0x70, 1, 8],
    [0x70, 255, 8],
    [0x71, 1, 0],
  ] as const
  const starts = forms.map(([opcode, key, extras]) => frameStart(opcode, key, extras))
  expect(starts).toEqual(['\x80\x70\0\x01\x08\0\0\0', '\x80\x70\0\xff\x08\0\0\0', '\x80\x71\0\x01\0\0\0\0'])
  expect(forms.map(([opcode, key, extras]) => frameStart(opcode, key, extras))).toEqual(starts)
  expect(build).toHaveBeenCalledTimes(3)
})
