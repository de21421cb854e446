import { type Check, warning } from '../finding.js'

export const checkPassword: Check = ({ askedForPassword }, { credentials }) => {
  if (credentials === undefined || askedForPassword) return undefined
  return warning(
    'password-unused',
    'A username and password are configured, but it asks for none: whoever reaches it is let in. They were not sent to it.',
    'Start memcached with -S (SASL, binary protocol) or -Y <file> (meta protocol), or leave out the options username and password.',
  )
}
