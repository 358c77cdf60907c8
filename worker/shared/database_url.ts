import { accessSync, constants } from 'node:fs'
import pg from 'pg'
import { z } from 'zod'

// The one place that decides to which databases Plinth connects, and how.

/** Says how to correct the URL of a database on another machine. */
const whatToWrite =
  'add ?sslmode=verify-full to it, and &sslrootcert=<file> if the server has a CA of its own, or ?sslmode=no-verify if nobody can read or change this network'

/** A `postgres://` URL of a local or encrypted connection. The messages never repeat a value, because it may be a password. */
export const postgresUrl = z
  .url({
    protocol: /^postgres(ql)?$/,
    error: 'must be a URL like postgres://role:password@host:5432/name',
    abort: true,
  })
  .superRefine((url, context) => {
    const fault = findUrlFault(url)
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
  })

/**
 * Says why this URL is refused; undefined if it is not. node-postgres connects in plain text without `sslmode` and with
 * `disable`, and treats every other mode except `no-verify` as `verify-full`, unlike libpq. So the URL of a host on another
 * machine must have one of the two modes whose name says what they do. Opens no connection.
 */
export function findUrlFault(url: string): string | undefined {
  const parameters = new URL(url).searchParams
  const root = parameters.getAll('sslrootcert').at(-1)
  if (root && !isReadable(root))
    return 'names a CA in sslrootcert that cannot be read: download the CA, and name its file'
  // If a parameter is repeated, pg uses the last value.
  const mode = parameters.getAll('sslmode').at(-1)
  if (mode === 'verify-full' || mode === 'no-verify') return undefined
  const host = findHost(url)
  if (host === undefined) return 'must be a URL like postgres://role:password@host:5432/name'
  if (isNear(host)) return undefined
  return mode === undefined
    ? `has no sslmode, and its host is another machine: ${whatToWrite}`
    : `has an sslmode that does not say whether the server is verified, and its host is another machine: ${whatToWrite}`
}

/** Returns the host that pg would connect to, which a parameter or PGHOST may name, too; undefined if it cannot read the URL. */
function findHost(url: string): string | undefined {
  const plain = new URL(url)
  // Without the other parameters, because pg would read files that they name, and warn about some modes.
  for (const name of [...plain.searchParams.keys()]) if (name !== 'host') plain.searchParams.delete(name)
  try {
    return new pg.Client(plain.href).host
  } catch {
    return undefined
  }
}

/**
 * Whether a host needs no encryption: a Unix socket, the loopback, or a name without a dot, which only a private network such
 * as Compose's knows. A number is an address: 134744072 is 8.8.8.8.
 */
function isNear(host: string): boolean {
  return /^\//.test(host) || /^(127(\.\d{1,3}){3}|::1)$/.test(host) || /^[a-z]([a-z0-9_-]*[a-z0-9])?$/i.test(host)
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** Says what to do if a connection failed because of TLS; undefined if it failed otherwise. */
export function explainTls(error: unknown): string | undefined {
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string }
  if (message === 'The server does not support SSL connections') {
    return 'The server offers no TLS: switch on its setting ssl, or reach it through a tunnel that ends at 127.0.0.1.'
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'The certificate of the database is for another host: use the host name of the certificate in DATABASE_URL, not an address.'
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return 'The certificate of the database is not valid today: renew it, or correct the clock of this machine.'
  }
  const isUnknown =
    /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER_CERT(_LOCALLY)?|VERIFY_LEAF_SIGNATURE)|CERT_SIGNATURE_FAILURE)$/
  if (isUnknown.test(code)) {
    return 'The certificate of the database is not signed by a CA that this process knows: download the CA of the server, and add &sslrootcert=<its file> to DATABASE_URL.'
  }
  return undefined
}
