import { getDomain, getPublicSuffix } from 'tldts'

// A file of its own, loaded when first asked for: the list takes some 40 ms and 17 MB, and in production nobody asks.

/** Whether browsers refuse cookies for this domain since everybody can have names below it. */
export function isPublicSuffix(domain: string): boolean {
  return getPublicSuffix(domain, asBrowsersDo) === domain
}

/** The part of a host name that its owner registered: `example.co.uk` of `www.example.co.uk`; undefined for a suffix or an address. */
export function registrableDomain(host: string): string | undefined {
  return getDomain(host, asBrowsersDo) ?? undefined
}

// The private section too (github.io, vercel.app), as browsers do.
const asBrowsersDo = { allowPrivateDomains: true, extractHostname: false }
