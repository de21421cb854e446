import { isIPv6, SocketAddress } from 'node:net'

/**
 * The part of an address by which one client is told from another. An IPv4 address as it is, also where it comes as IPv6; of an IPv6 address its
 * first 64 bits, since whoever has one has all of those.
 *
 * A connection that was closed has no address any more. Those are counted together: not to be counted at all is what one would hang up for.
 */
export function clientOf(address: string | undefined): string {
  if (address === undefined) return 'a client without an address'
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  return isIPv6(address) ? `${firstGroups(address)}::/64` : address
}

function firstGroups(address: string): string {
  // Node writes an address as RFC 5952 has it.
  const { address: written } = new SocketAddress({ address: withoutZone(address), family: 'ipv6' })
  const [head = '', tail = ''] = written.split('::')
  const [before, behind] = [groupsOf(head), groupsOf(tail)]
  const zeros = written.includes('::') ? Array<string>(8 - before.length - behind.length).fill('0') : []
  return [...before, ...zeros, ...behind].slice(0, 4).join(':')
}

function withoutZone(address: string): string {
  return address.split('%')[0] as string
}

/** An IPv4 address at the end stands for two groups. */
function groupsOf(part: string): string[] {
  if (part === '') return []
  return part.split(':').flatMap((group) => (group.includes('.') ? ['v4', group] : [group]))
}
