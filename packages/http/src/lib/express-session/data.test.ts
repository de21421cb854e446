import { isFieldName } from 'fieldwise/adapter'
import { describe, expect, test } from 'vitest'
import { dataOf, fieldName, fieldsOf, idleOf } from './data.js'

const now = Date.UTC(2030, 0)

describe('the field of a property', () => {
  test.each(['cart', 'csrf-token', '_user', 'A1'])('has the name of the property where that can name a field: %s', (name) => {
    expect(fieldName(name)).toBe(name)
  })

  test.each(['oauth2:accounts.example.com', 'user.id', '', ' ', '1st', 'ü', 'constructor', '__proto__', '_-x', 'x'.repeat(65)])(
    'has another name where it cannot, and the property comes back: %s',
    (name) => {
      expect(isFieldName(fieldName(name))).toBe(true)
      const session = JSON.parse(`{ ${JSON.stringify(name)}: ["value"], "cookie": {} }`)
      const fields = fieldsOf(session)
      expect([...fields.keys()]).toContain(fieldName(name))
      const data = dataOf(fields, now)
      expect(Object.entries(data)).toContainEqual([name, ['value']])
      expect(Object.getPrototypeOf(data)).toBe(Object.prototype)
    },
  )

  test('is another one for each name', () => {
    const names = ['a.b', 'a:b', 'a b', 'ab', fieldName('a.b')]
    expect(new Set(names.map(fieldName)).size).toBe(names.length)
  })
})

describe('the cookie', () => {
  const cookie = { originalMaxAge: 60_000, expires: new Date(now), httpOnly: true, path: '/', secure: undefined }

  test('keeps its options and its maxAge, but not an expiry that moves with every request', () => {
    const fields = fieldsOf({ cookie })
    expect(fields.get('cookie')).toBe('{"originalMaxAge":60000,"httpOnly":true,"path":"/"}')
    expect(fieldsOf({ cookie: { ...cookie, expires: new Date(0) } })).toEqual(fields)
    expect(dataOf(fields, now).cookie.expires).toBe(new Date(now + 60_000).toISOString())
  })

  test('without a maxAge keeps what it says of its expiry', () => {
    const fields = fieldsOf({ cookie: { originalMaxAge: null, expires: false } })
    expect(dataOf(fields, now).cookie).toEqual({ originalMaxAge: null, expires: false })
  })

  test('is there in every session, since express-session needs one', () => {
    expect(dataOf(new Map(), now)).toEqual({ cookie: { originalMaxAge: null } })
    expect(dataOf(fieldsOf({ cookie: null }), now)).toEqual({ cookie: {} })
  })

  test.each([
    [60_000, '60000ms'],
    [0.4, '1ms'],
    [0, '1ms'],
    [-5_000, '1ms'],
    [null, undefined],
  ])('with a maxAge of %s lets the session live unused for %s', (originalMaxAge, idle) => {
    expect(idleOf(fieldsOf({ cookie: { originalMaxAge } }))).toBe(idle)
  })
})
