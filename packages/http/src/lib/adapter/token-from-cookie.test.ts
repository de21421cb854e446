import { tokenFromCookie } from '@fieldwise/http'
import { expect, test } from 'vitest'
import { inProduction } from '../../testing/app.js'

test('finds the token of the cookie that the adapter sets', () => {
  expect(tokenFromCookie('a=1; __Host-session=T')).toBe('T')
  expect(tokenFromCookie('admin=T', { cookie: { name: 'admin' } })).toBe('T')
  expect(tokenFromCookie('__Secure-session=T', { cookie: { domain: 'example.com' } })).toBe('T')
})

test('finds none where there is none', () => {
  expect(tokenFromCookie(undefined)).toBeUndefined()
  expect(tokenFromCookie('a=1')).toBeUndefined()
  expect(tokenFromCookie('__Host-session=T', { cookie: { domain: 'example.com' } })).toBeUndefined()
})

test('of two that differ it takes neither', () => {
  expect(tokenFromCookie('__Host-session=T; __Host-session=U')).toBeUndefined()
  expect(tokenFromCookie('__Host-session=T; __Host-session=T')).toBe('T')
})

test('takes the cookie of plain HTTP in development alone', () => {
  expect(tokenFromCookie('session=T')).toBe('T')
  expect(inProduction(() => tokenFromCookie('session=T'))).toBeUndefined()
})

test('refuses options that an adapter would refuse', () => {
  expect(() => tokenFromCookie('', { cookie: { name: '' } })).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
  expect(() => tokenFromCookie('', { name: 'sid' } as never)).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
})
