import { WireFailure } from '../wire/wire.js'

/** Why a server could not be examined. */
export type Trouble =
  | 'refused'
  | 'no-socket'
  | 'no-permission'
  | 'unresolved'
  | 'no-route'
  | 'no-connection'
  | 'silent'
  | 'hangs-up'
  | 'full'
  | 'http'
  | 'foreign'
  | 'password-needed'
  | 'password-refused'
  | 'tls-needed'
  | 'tls-missing'
  | 'certificate-untrusted'
  | 'certificate-other-name'
  | 'certificate-expired'

/** Ends an examination. */
export class InTrouble extends Error {
  readonly trouble: Trouble

  constructor(trouble: Trouble, options?: ErrorOptions) {
    super(trouble, options)
    this.trouble = trouble
  }
}

/** Why no connection came about. */
export function troubleConnecting({ reason, errorCode = '' }: WireFailure): Trouble {
  if (reason === 'timeout') return 'no-connection'
  return troubles[errorCode] ?? (isCertificate(errorCode) ? 'certificate-untrusted' : 'hangs-up')
}

/** What a server is that says something else than memcached would. */
export function troubleHeard(line: string): Trouble {
  if (line.startsWith('ERROR Too many open connections')) return 'full'
  if (line.startsWith('CLIENT_ERROR unauthenticated')) return 'password-needed'
  if (line.startsWith(tlsAlert)) return 'tls-needed'
  return line.startsWith('HTTP/') ? 'http' : 'foreign'
}

/** Why there was no answer over a connection that came about. */
export function troubleAsking(error: unknown): Trouble {
  if (!(error instanceof WireFailure)) throw error
  if (error.heard !== '') return troubleHeard(error.heard)
  return error.reason === 'timeout' ? 'silent' : 'hangs-up'
}

const tlsAlert = '\x15\x03'

const troubles: Readonly<Record<string, Trouble>> = {
  ECONNREFUSED: 'refused',
  ENOENT: 'no-socket',
  EACCES: 'no-permission',
  EPERM: 'no-permission',
  ENOTFOUND: 'unresolved',
  EAI_AGAIN: 'unresolved',
  ETIMEDOUT: 'no-connection',
  EHOSTUNREACH: 'no-route',
  ENETUNREACH: 'no-route',
  EPROTO: 'tls-missing',
  ERR_SSL_WRONG_VERSION_NUMBER: 'tls-missing',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'tls-missing',
  ERR_TLS_CERT_ALTNAME_INVALID: 'certificate-other-name',
  CERT_HAS_EXPIRED: 'certificate-expired',
}

/** Node passes OpenSSL's verification results on as codes, some thirty of them. */
function isCertificate(errorCode: string): boolean {
  return /CERT|CRL|SIGNATURE|ISSUER/.test(errorCode)
}
