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
  /** The `X-Forwarded-For` header that a proxy on this machine may set. */
  readonly forwardedFor: string | undefined
  /** The `Sec-Fetch-Site` header: what site a browser asks for. */
  readonly site: string | undefined
  /** The `Sec-Fetch-Mode` header. */
  readonly mode: string | undefined
}

export interface Refusal {
  readonly status: 403 | 405
  readonly says: string
}

/** Undefined for whoever may look. */
export function refusalOf(asker: Asker, { hosts, remote }: Guard): Refusal | undefined {
  if (asker.method !== 'GET' && asker.method !== 'HEAD') return { status: 405, says: 'There is nothing to change here.' }
  if (!remote && !isFromHere(asker)) {
    return { status: 403, says: 'The inspector answers to this machine only; the option remote opens it to others.' }
  }
  // A page of another site can give its own name the address 127.0.0.1 and would then be the same origin (DNS rebinding). It cannot
  // choose what the browser writes into the Host header.
  const name = nameOf(asker.host)
  if (name === undefined || !(isLocalName(name) || hosts.includes(name))) {
    return { status: 403, says: 'The inspector is not known by the name that was asked for; the option hosts adds names.' }
  }
  if (asker.site === 'cross-site' && asker.mode !== 'navigate') {
    return { status: 403, says: 'The inspector answers to no other site.' }
  }
  return undefined
}

function isFromHere({ address, forwardedFor }: Asker): boolean {
  const addresses = [...(address === undefined ? [] : [address]), ...(forwardedFor?.split(',') ?? [])]
  return addresses.every((it) => isLoopback(it.trim()))
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
