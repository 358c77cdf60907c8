import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The files of a CA, and of a certificate that it has signed. */
export type Certificates = { ca: string; certificate: string; key: string }

/** Makes a CA of its own in a folder, and a certificate for this host. Needs openssl. */
export function makeCertificates(folder: string, host: string): Certificates {
  mkdirSync(folder, { recursive: true })
  const at = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  openssl('req', '-x509', ...key, '-subj', '/CN=Test CA', '-keyout', at('ca.key'), '-out', at('ca.crt'))
  openssl(
    ...['req', '-x509', ...key, '-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`],
    ...['-addext', 'basicConstraints=critical,CA:FALSE', '-CA', at('ca.crt'), '-CAkey', at('ca.key')],
    ...['-keyout', at('server.key'), '-out', at('server.crt')],
  )
  return { ca: at('ca.crt'), certificate: at('server.crt'), key: at('server.key') }
}

/** Returns the texts of certificate and key, as servers of Node take them. */
export function readCertificates({ certificate, key }: Certificates): { cert: string; key: string } {
  return { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') }
}
