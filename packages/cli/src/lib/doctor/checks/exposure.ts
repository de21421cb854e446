import { BlockList, isIP } from 'node:net'
import { type Examination, figure, isOn } from '../examination.js'
import { type Check, danger, type Finding, warning } from '../finding.js'

/** memcached serves everybody who reaches it, so it should be out of reach, or ask for a password or a certificate. */
export const checkExposure: Check = (examination) => {
  const addresses = publicAddresses(examination)
  if (addresses.length === 0) return undefined
  const where = addresses.includes('every address') ? 'every address of its machine' : addresses.join(' and ')
  if (isGuarded(examination)) return isOn(examination.settings, 'ssl_enabled') ? undefined : readable(where, examination)
  return danger(
    'exposed',
    `It listens on ${where} without a password: whoever reaches it can read, change and end every session.`,
    `Listen on a private address (memcached -l 127.0.0.1, or -l with the one that your web servers use), let a firewall drop the rest (${firewall(examination)}), ` +
      'and where others share the network ask for a password: memcached -Y <file> with TLS (-Z), or -S.',
  )
}

function firewall({ settings }: Examination): string {
  return `nft add rule inet filter input tcp dport ${figure(settings, 'tcpport') || 11_211} ip saddr != 10.0.0.0/8 drop`
}

function readable(where: string, examination: Examination): Finding {
  return warning(
    'readable',
    `It listens on ${where} without TLS: passwords and sessions can be read on the network.`,
    `Start it with TLS (memcached -Z -o ssl_chain_cert=…,ssl_key=…) and use { protocol: 'meta', tls: true }, seal what is stored, or listen on a private address (-l). Firewall: ${firewall(examination)}.`,
  )
}

/** By a password, or by the certificates of its clients (`ssl_verify_mode` 2 and above demands one). */
function isGuarded({ askedForPassword, settings }: Examination): boolean {
  const asksForCertificate = isOn(settings, 'ssl_enabled') && Number(settings.get('ssl_verify_mode')) >= 2
  return askedForPassword || asksForCertificate
}

/** Where strangers could reach it. A unix socket is for this machine alone. */
function publicAddresses({ settings }: Examination): string[] {
  if ((settings.get('domain_socket') ?? 'NULL') !== 'NULL') return []
  const interfaces = settings.get('inter')
  if (interfaces === undefined) return []
  return interfaces.split(/[,;]/).flatMap((listed) => {
    const address = bare(listed.trim())
    if (address === 'NULL' || address === '' || address === '*' || isAny(address)) return ['every address']
    return isIP(address) !== 0 && !isPrivate(address) ? [address] : []
  })
}

/** Without a port, brackets and `notls:`. */
function bare(listed: string): string {
  const address = listed.replace(/^notls:/, '')
  if (isIP(address) !== 0) return address
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || /^[0:]+$/.test(address)
}

function isPrivate(address: string): boolean {
  return ownNetworks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/** Loopback, private use (RFC 1918, RFC 4193), link local, and shared address space (RFC 6598). */
const ownNetworks = new BlockList()
for (const [network, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
] as const)
  ownNetworks.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  ownNetworks.addSubnet(network, bits, 'ipv6')
