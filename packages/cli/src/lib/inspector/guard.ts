import { isIPv4 } from 'node:net'

/** Who may look. */
export interface Guard {
  /** Names besides those of this machine that the page may be asked for by. */
  readonly hosts: readonly string[]
  /** Whether other machines may look. */
  readonly remote: boolean
}

/** What is known of who asks. */
export interface Asker {
  readonly method: string
  /** The `Host` header. */
  readonly host: string | undefined
  /** The other end of the connection, where that is known. */
  readonly address: string | undefined
  /** Whether something shows that a proxy on this machine passed it on for somebody else. */
  readonly isForwarded: boolean
  /** The `Origin` or `Referer` header: the page that asks. */
  readonly from: string | undefined
  /** The `Sec-Fetch-Site` header: what site a browser asks for. */
  readonly site: string | undefined
  /** The `Sec-Fetch-Mode` header. */
  readonly mode: string | undefined
}

export interface Denial {
  readonly status: 403 | 405
  readonly says: string
}

/** Undefined for whoever may look. */
export function refusalOf(asker: Asker, { hosts, remote }: Guard): Denial | undefined {
  if (asker.method !== 'GET' && asker.method !== 'HEAD') return { status: 405, says: 'This page only shows; use GET.' }
  if (!remote && !isFromHere(asker)) {
    return {
      status: 403,
      says: 'The inspector answers only this machine, and not through a proxy. To open it to others, use the option remote.',
    }
  }
  // A page of another site can give its own name the address 127.0.0.1 and would then be the same origin (DNS rebinding). It cannot
  // choose what the browser writes into the Host header.
  const isKnown = (name: string | undefined) => name !== undefined && (isLocalName(name) || hosts.includes(name))
  if (!isKnown(nameOf(asker.host))) {
    return { status: 403, says: 'The inspector does not answer under this host name. To allow it, use the option hosts.' }
  }
  // A proxy that writes a name of this machine into Host leaves the name that the browser knows in these.
  const isFromElsewhere = asker.from !== undefined && !isKnown(nameOf(hostIn(asker.from)))
  if ((asker.site === 'cross-site' || isFromElsewhere) && asker.mode !== 'navigate') {
    return { status: 403, says: 'The inspector does not answer other sites.' }
  }
  return undefined
}

function isFromHere({ address, isForwarded }: Asker): boolean {
  return !isForwarded && (address === undefined || isLoopback(address))
}

/** Whether one of these headers, in small letters, is one that proxies add. */
export function areForwarded(headers: Iterable<string>): boolean {
  return [...headers].some((name) => addedByProxies.test(name))
}

const addedByProxies =
  /^(forwarded|via|x-forwarded(-.+)?|x-real-ip|x-(cluster-)?client-ip|x-original-.+|x-envoy-.+|true-client-ip|cf-.+|fly-.+)$/

/** A page without an origin of its own says `null`, which is no host. */
function hostIn(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined
}

function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, '')
  return plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'))
}

/** Without the port, in small letters. */
function nameOf(host: string | undefined): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\]]+)(?::\d{1,5})?$/i.exec(host ?? '')
  return match?.[1]?.toLowerCase()
}

/** Names that no name server is asked for. */
function isLocalName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost') || isLoopback(name.replace(/^\[|\]$/g, ''))
}
