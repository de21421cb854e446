/** The two servers of the demo. */
export type Site = 'www' | 'avatar'

/** Where a browser finds both servers: `http://www.fieldwise.localhost:4100`. */
export type Origins = Readonly<Record<Site, string>>

/** The servers that keep sessions with Fieldwise, and the same two again with express-session, for the race. */
export interface Addresses {
  readonly fieldwise: Origins
  readonly expressSession: Origins
}

/**
 * A cookie with this Domain reaches both servers, since both names end in it.
 * Browsers send every name under `localhost` to this machine (RFC 6761, section 6.3).
 */
export const domain = 'fieldwise.localhost'

export function originOf(site: Site, port: number): string {
  return `http://${site}.${domain}:${port}`
}
