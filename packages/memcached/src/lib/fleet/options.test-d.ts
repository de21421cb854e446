import { memcachedStore } from '../../index.js'

memcachedStore()
memcachedStore('a', { timeout: '1s', username: 'a', password: 'b' })
memcachedStore(['a'], { protocol: 'meta', tls: true })
memcachedStore(['a'], { protocol: 'auto', username: 'a', password: 'b' })
memcachedStore({ a: 'b' }, { protocol: 'meta', tls: { ca: 'x' } })

// @ts-expect-error TLS takes the meta protocol
memcachedStore('a', { tls: true })
// @ts-expect-error TLS takes the meta protocol
memcachedStore('a', { protocol: 'binary', tls: true })
// @ts-expect-error TLS takes the meta protocol
memcachedStore('a', { protocol: 'auto', tls: true })
// @ts-expect-error a bare number may be seconds or milliseconds
memcachedStore('a', { timeout: 500 })
// @ts-expect-error no such option
memcachedStore('a', { timout: '1s' })
// @ts-expect-error no such protocol
memcachedStore('a', { protocol: 'ascii' })
