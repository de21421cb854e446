import type { Failure, Intentions } from './examination.js'
import { danger, type Finding } from './finding.js'
import type { Trouble } from './trouble.js'
import { time } from './units.js'

/** What it means for the application that a server could not be examined: it cannot use it either. */
export function findingOf({ trouble }: Failure, { timeout }: Intentions): Finding {
  const [code, message, remedy] = troubles[trouble]
  return danger(code, message.replace('{timeout}', time(timeout)), remedy)
}

const startIt = 'Start memcached there (systemctl start memcached), listening on this very address (-l) and port (-p).'
const letThrough =
  "Let the firewall between take this machine's connections (nft add rule inet filter input tcp dport 11211 ip saddr 10.0.0.0/8 accept), and check the address."
const trustIt = 'Give the authority that signed it: --ca <file> here, tls: { ca } in memcachedStore.'

/** Code, message, remedy. */
const troubles: Readonly<Record<Trouble, readonly [string, string, string]>> = {
  refused: ['unreachable', 'It refuses connections: nobody listens there.', startIt],
  'no-socket': ['unreachable', 'There is no socket at this path.', 'Start memcached with -s and this path.'],
  'no-permission': [
    'unreachable',
    'This user may not use this socket.',
    'Start memcached with -a 0770 and a group that both users share.',
  ],
  unresolved: [
    'unreachable',
    'Its host name does not resolve.',
    'Check the name, or write the address. New names take a moment to reach DNS.',
  ],
  'no-route': ['unreachable', 'There is no network route to it.', 'Check the address, the routes and the VPN of this machine.'],
  'no-connection': ['unreachable', 'It could not be reached within {timeout}.', letThrough],
  silent: [
    'silent',
    'It accepts connections but did not answer within {timeout}.',
    'Check whether it is frozen, swapping or overloaded (its CPU, its threads: -t). If it is only far away, raise --timeout here and timeout in memcachedStore.',
  ],
  'hangs-up': [
    'hangs-up',
    'It closes connections before it identifies itself.',
    'Check that it is memcached that listens there, and that no firewall or proxy in between cuts connections.',
  ],
  full: [
    'connections-full',
    'It has no connection left, so web servers are refused.',
    "Raise its limit (memcached -c 4096; the service's limit of open files must allow it), or let fewer processes connect.",
  ],
  http: [
    'not-memcached',
    'It is not memcached: an HTTP server answers there.',
    'Check host and port; the default port of memcached is 11211.',
  ],
  foreign: [
    'not-memcached',
    'It is not memcached: it answers in another protocol.',
    'Check host and port; the default port of memcached is 11211.',
  ],
  'password-needed': [
    'password-needed',
    'It asks for a password, and none is configured.',
    'Give it: --username, and FIELDWISE_PASSWORD in the environment; username and password in memcachedStore.',
  ],
  'password-refused': [
    'password-refused',
    'It refuses this username and password.',
    'Correct them, or those of the server: saslpasswd2 -a memcached -c <user> for memcached -S, the file of memcached -Y (user:password), which it reads again on SIGHUP.',
  ],
  'tls-needed': [
    'tls-needed',
    'It speaks TLS, but this side does not.',
    "Use --tls here and { protocol: 'meta', tls: true } in memcachedStore, or start memcached without -Z.",
  ],
  'tls-missing': [
    'tls-missing',
    'It does not speak TLS, but this side does.',
    'Start it with memcached -Z -o ssl_chain_cert=…,ssl_key=…, or leave out --tls here and tls in memcachedStore.',
  ],
  'certificate-untrusted': ['certificate', 'Its TLS certificate is not trusted.', trustIt],
  'certificate-other-name': [
    'certificate',
    'Its TLS certificate is for another host name.',
    'Connect by the name that the certificate is for, or set tls: { servername } in memcachedStore.',
  ],
  'certificate-expired': [
    'certificate',
    'Its TLS certificate has expired.',
    'Renew it (-o ssl_chain_cert), and have memcached read it again (the command refresh_certs, or a restart).',
  ],
}
