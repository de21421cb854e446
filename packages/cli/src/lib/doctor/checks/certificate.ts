import { type Check, warning } from '../finding.js'
import { time } from '../units.js'

const soon = 14 * 86_400_000

export const checkCertificate: Check = ({ certificateEnds }) => {
  if (certificateEnds === undefined) return undefined
  const left = certificateEnds - Date.now()
  if (left > soon) return undefined
  return warning(
    'certificate-ends',
    `Its TLS certificate expires in ${time(left)}. After that no web server can connect.`,
    'Renew it (-o ssl_chain_cert), and have memcached read it again (the command refresh_certs, or a restart).',
  )
}
