import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

/** Files that a memcached with passwords or TLS needs, in a folder of their own. */
export class Credentials implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fieldwise-credentials-'))

  /** What `Memcached.start` takes for a server that asks for this user by SASL PLAIN. */
  sasl(username: string, password: string): { flags: string[]; env: Record<string, string> } {
    const database = this.#path('sasldb')
    const lines = ['mech_list: plain', 'pwcheck_method: auxprop', 'auxprop_plugin: sasldb', `sasldb_path: ${database}`]
    writeFileSync(this.#path('memcached.conf'), `${lines.join('\n')}\n`)
    const args = ['-a', 'memcached', '-c', '-p', '-f', database, '-u', hostname(), username]
    execFileSync('saslpasswd2', args, { input: password, env: withAdministration() })
    return { flags: ['-S'], env: { SASL_CONF_PATH: this.#folder } }
  }

  /** The same for a server with a password file. */
  passwordFile(username: string, password: string): { flags: string[] } {
    writeFileSync(this.#path('passwords'), `${username}:${password}\n`)
    return { flags: ['-Y', this.#path('passwords')] }
  }

  /** The same for a server that speaks TLS, with the certificate to trust. It is good for localhost, 127.0.0.1 and ::1. */
  tls(): { flags: string[]; ca: string } {
    const [key, certificate] = [this.#path('key.pem'), this.#path('certificate.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1']
    const form = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    execFileSync('openssl', ['req', ...form, ...subject, '-keyout', key, '-out', certificate], { stdio: 'ignore' })
    const ca = readFileSync(certificate, 'utf8')
    return { flags: ['-Z', '-o', `ssl_chain_cert=${certificate},ssl_key=${key}`], ca }
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #path(name: string): string {
    return join(this.#folder, name)
  }
}

/** Debian keeps saslpasswd2 where only root's PATH leads. */
function withAdministration(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }
}
