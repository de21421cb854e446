import { afterEach, beforeEach, expect, test } from 'vitest'
import { collectWarnings } from '../../testing/app.js'
import { createCookiePolicy } from '../cookie/cookie-policy.js'
import { alertsOf } from './alerts.js'

let warnings: ReturnType<typeof collectWarnings>

beforeEach(() => {
  warnings = collectWarnings()
})

afterEach(() => {
  warnings.stop()
})

const { secure, plain } = createCookiePolicy({ domain: 'example.com' }, false)

test('each kind is given once, however many adapters the same sessions have', async () => {
  const sessions = {}
  for (const alerts of [alertsOf(sessions, false), alertsOf(sessions, false)]) {
    alerts.plainHttp(plain, 'www.example.com')
    alerts.writeNotAwaited('set')
    alerts.cookieSet(secure, 'www.example.org')
  }
  expect(await warnings.of('FIELDWISE_PLAIN_HTTP')).toHaveLength(1)
  expect(await warnings.of('FIELDWISE_NOT_AWAITED')).toHaveLength(1)
  expect(await warnings.of('FIELDWISE_COOKIE_HOST')).toHaveLength(1)
})

test('nothing is given in production', async () => {
  const alerts = alertsOf({}, true)
  alerts.plainHttp(plain, 'www.example.com')
  alerts.writeNotAwaited('set')
  alerts.cookieSet(secure, 'www.example.org')
  for (const code of ['FIELDWISE_PLAIN_HTTP', 'FIELDWISE_NOT_AWAITED', 'FIELDWISE_COOKIE_HOST']) {
    expect(await warnings.of(code)).toEqual([])
  }
})

test('whoever sends one host after the other fills no memory: after a few they are not looked at', async () => {
  const alerts = alertsOf({}, false)
  for (let at = 0; at < 8; at++) alerts.cookieSet(secure, `${at}.example.com`)
  alerts.cookieSet(secure, 'www.example.org')
  expect(await warnings.of('FIELDWISE_COOKIE_HOST')).toEqual([])
})

test('a request without a host is no reason to warn', async () => {
  alertsOf({}, false).cookieSet(secure, undefined)
  expect(await warnings.of('FIELDWISE_COOKIE_HOST')).toEqual([])
})
