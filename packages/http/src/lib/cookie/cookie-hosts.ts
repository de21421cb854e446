import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

/** Why a cookie does not reach a host, or not all of them. */
export interface CookieHostProblem {
  readonly code: /** A host is an IP address, and a cookie with a Domain is for names only. */
    | 'host-is-address'
    /** Anybody can have a name below this Domain (`co.uk`, `github.io`), so browsers refuse cookies for it. */
    | 'domain-is-public-suffix'
    /** The host is neither the Domain nor below it: browsers refuse the cookie, and never send it there. */
    | 'domain-does-not-cover-host'
    /** Several hosts could share a cookie, but it has no Domain, so that each host has its own. */
    | 'domain-is-missing'
    /** Several hosts have no domain in common, so nothing can make them share a cookie. */
    | 'no-common-domain'
  /** The hosts that it is about. */
  readonly hosts: readonly string[]
  /** What is wrong with which names, and what to set. */
  readonly message: string
}

/**
 * Whether browsers will send one and the same session cookie to all these hosts, and why not. Hosts are as a browser's address bar
 * has them, with or without a port (ports do not part cookies). Comes back empty when all is well.
 *
 * @example
 * await checkCookieHosts(['www.example.com', 'avatar.example.com'], { domain: 'example.com' }) // []
 */
export async function checkCookieHosts(
  hosts: readonly string[],
  cookie: { readonly domain?: string | undefined } = {},
): Promise<readonly CookieHostProblem[]> {
  const names = [...new Set(hosts.map(hostName))]
  if (cookie.domain !== undefined) {
    const domain = hostName(cookie.domain.replace(/^\./, ''))
    const { isPublicSuffix } = await import('./public-suffix.js')
    return isPublicSuffix(domain) ? [publicSuffix(domain, names)] : names.flatMap((host) => coverage(host, domain))
  }
  if (names.length < 2) return []
  const { registrableDomain } = await import('./public-suffix.js')
  return sharing(names, commonDomain(names, registrableDomain))
}

/** Without port and IPv6 brackets, in lower case, as punycode, without the dot of a fully qualified name. */
function hostName(host: string): string {
  const bare = host.trim().replace(/^\[(.*)\](:\d+)?$/, '$1')
  if (isIP(bare) !== 0) return bare
  const name = bare.replace(/:\d*$/, '').replace(/\.$/, '')
  return domainToASCII(name) || name.toLowerCase()
}

function publicSuffix(domain: string, hosts: readonly string[]): CookieHostProblem {
  return {
    code: 'domain-is-public-suffix',
    hosts,
    message:
      `Browsers refuse a cookie with Domain=${domain}, because names below it belong to different owners. ` +
      `Set cookie.domain to a name of your own below ${domain}, or leave it out`,
  }
}

/** RFC 6265bis, section 5.1.3. */
function coverage(host: string, domain: string): CookieHostProblem[] {
  if (isIP(host) !== 0) return [addressWithDomain(host, domain)]
  if (host === domain || host.endsWith(`.${domain}`)) return []
  return [
    {
      code: 'domain-does-not-cover-host',
      hosts: [host],
      message:
        `Browsers refuse a cookie with Domain=${domain} from ${host}, which is not below that domain. ` +
        `Open the app at a name below ${domain}, or set cookie.domain to a domain that ${host} belongs to, or leave it out`,
    },
  ]
}

function addressWithDomain(host: string, domain: string): CookieHostProblem {
  return {
    code: 'host-is-address',
    hosts: [host],
    message:
      `Browsers refuse a cookie with Domain=${domain} from ${host}, which is an IP address. ` +
      `Open the app at a name below ${domain} (below localhost any name works), or leave cookie.domain out`,
  }
}

/** The longest domain that all hosts are in, as long as it belongs to one owner. */
function commonDomain(hosts: readonly string[], registrableDomain: (host: string) => string | undefined): string | undefined {
  const owners = new Set(hosts.map(registrableDomain))
  const [owner] = owners
  if (owners.size > 1 || owner === undefined) return undefined
  const labels = hosts.map((host) => host.split('.').reverse())
  const first = labels[0] ?? []
  const differing = first.findIndex((label, at) => labels.some((other) => other[at] !== label))
  return (differing === -1 ? first : first.slice(0, differing)).reverse().join('.')
}

function sharing(hosts: readonly string[], domain: string | undefined): CookieHostProblem[] {
  const list = hosts.join(' and ')
  if (domain === undefined) {
    const message =
      `${list} have no domain in common, so no cookie can reach all of them. ` +
      'Serve them at names below one domain of yours (below localhost any name works) and set cookie.domain to it'
    return [{ code: 'no-common-domain', hosts, message }]
  }
  const message = `Without a Domain the cookie of ${hosts[0]} stays there. For ${list} to share it, set cookie.domain to '${domain}'`
  return [{ code: 'domain-is-missing', hosts, message }]
}
