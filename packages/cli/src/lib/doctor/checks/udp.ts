import { figure } from '../examination.js'
import { type Check, danger } from '../finding.js'

export const checkUdp: Check = ({ settings }) => {
  const port = figure(settings, 'udpport')
  if (port === undefined || port === 0) return undefined
  return danger(
    'udp',
    `It answers UDP on port ${port}, where senders can be forged, so anyone can make it flood others (CVE-2018-1000115). Fieldwise never uses UDP.`,
    `Start memcached with -U 0, and let a firewall drop it: nft add rule inet filter input udp dport ${port} drop.`,
  )
}
