import type { Examination, Intentions } from '../examination.js'
import { type Check, danger, type Finding, warning } from '../finding.js'

export const checkProtocol: Check = (examination, intentions) => {
  const { meta, binary } = examination.speaks
  if (!meta && !binary) {
    return danger(
      'no-protocol',
      'It speaks neither the binary nor the meta protocol, so Fieldwise cannot use it.',
      'Connect to memcached itself, not through a proxy, and update it to 1.6.18 or later.',
    )
  }
  return meta ? withoutBinary(examination, intentions) : withoutMeta(examination, intentions)
}

/** With a password the binary protocol has SASL, which is a choice. */
function withoutMeta({ askedForPassword, version }: Examination, { protocol, tls }: Intentions): Finding | undefined {
  if (askedForPassword && protocol !== 'meta') return undefined
  const isWanted = protocol === 'meta' || tls !== undefined
  return (isWanted ? danger : warning)(
    'no-meta',
    `It speaks no meta protocol, or an early form of it (memcached ${version}). The binary protocol works, and is deprecated.`,
    `Update memcached to 1.6.18 or later, and then use { protocol: 'meta' }${isWanted ? "; until then { protocol: 'binary' }" : ''}.`,
  )
}

/** `memcached -Y` and `-Z` speak text alone, and who uses them has chosen so. */
function withoutBinary({ speaks, askedForPassword }: Examination, { protocol, tls }: Intentions): Finding | undefined {
  if (speaks.binary || protocol === 'meta' || tls !== undefined) return undefined
  if (askedForPassword && protocol === undefined) return undefined
  return (protocol === 'binary' ? danger : warning)(
    'no-binary',
    'It does not speak the binary protocol, which memcachedStore uses by default.',
    "Use memcachedStore(servers, { protocol: 'meta' }), or start memcached without -B ascii.",
  )
}
