import { expect, test } from 'vitest'
import { keepPrivate } from './cache-control.js'

test.each([
  ['nothing', undefined, 'private'],
  ['an empty header', '', 'private'],
  ['no-store', 'no-store', 'no-store'],
  ['private', 'private, max-age=60', 'private, max-age=60'],
  ['private for one header alone', 'private="X-User", max-age=60', 'private, private="X-User", max-age=60'],
  ['public', 'public, max-age=60', 'private, max-age=60'],
  ['a life in shared caches', 'Max-Age=60, S-MaxAge=600', 'private, Max-Age=60'],
  ['a life alone', 'max-age=60, must-revalidate', 'private, max-age=60, must-revalidate'],
  ['a comma inside of quotes', 'no-cache="a, public", public', 'private, no-cache="a, public"'],
])('an app that wrote %s gets an answer that no shared cache keeps, and the rest as it was', (_, written, kept) => {
  expect(keepPrivate(written)).toBe(kept)
})
