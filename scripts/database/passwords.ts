import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import pg from 'pg'

// Passwords of login roles. Statements appear in the log of Postgres (log_statement), so no statement contains a password.

/** The default of Postgres. */
const iterations = 4096

/**
 * The SCRAM-SHA-256 verifier of a password (RFC 5802, RFC 7677), as Postgres stores it. Only printable ASCII is accepted:
 * SASLprep (RFC 4013) leaves it as it is, but changes other characters, and not every client implements SASLprep.
 */
export function createVerifier(password: string, salt = randomBytes(16)): string {
  requirePassword(password, 'The password')
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64')
  const serverKey = hmac('Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}

/** Refuses a password that clients could read differently; `name` is what the message calls it. */
export function requirePassword(password: string, name: string): string {
  if (/^[\x20-\x7e]+$/.test(password)) return password
  throw new Error(`${name} may contain only letters, digits, spaces and punctuation of ASCII.`)
}

/** The result of {@link tryLogin}; `unknown`: the login proved nothing, for the reason. */
export type Login = { is: 'accepted' } | { is: 'refused' } | { is: 'unknown'; reason: string }

/** Logs in as a role with a password, to the server and database of a URL. */
export async function tryLogin(databaseUrl: string, role: string, password: string): Promise<Login> {
  const url = new URL(databaseUrl)
  // A pooler's names of roles end in the project: postgres.abc.
  url.username = encodeURIComponent(decodeURIComponent(url.username).replace(/^[^.]*/, role))
  url.password = ''
  let wasAsked = false
  const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 10_000 })
  // Only called where the server asks for a password. The URL has precedence over a function in the options.
  Object.assign(client, {
    password: () => {
      wasAsked = true
      return password
    },
  })
  client.on('error', () => {})
  try {
    await client.connect()
    return wasAsked ? { is: 'accepted' } : { is: 'unknown', reason: 'the server asks this machine for no password' }
  } catch (error) {
    const { code, routine, message } = error as pg.DatabaseError
    if (code === '28P01') return { is: 'refused' }
    // Postgres looks at the limit of the role after the password.
    if (code === '53300' && routine === 'InitializeSessionUserId' && wasAsked) return { is: 'accepted' }
    return { is: 'unknown', reason: message || String(code) }
  } finally {
    await client.end().catch(() => {})
  }
}
