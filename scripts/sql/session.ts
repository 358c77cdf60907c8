import { decodeJwt } from 'jose'
import pg from 'pg'
import { tokenForEmail } from '../local/user.ts'

/** A connection to the local stack as one of its callers. */
export type Session = {
  /** For the prompt. */
  name: string
  host: string
  port: number
  user: string
  password: string
  database: string
  /** Settings of the whole session, as `options` of the connection: RESET returns to them. */
  options: string
}

/** The callers that `--as` takes. */
export const callers = ['postgres', 'worker', 'sidecar', 'anon', 'authenticated:<email>', 'service_role'] as const

/** The value of `--as` is not a caller. */
export class UnknownCaller extends Error {}

/** Returns the session of a caller of the local stack whose `env` file this is. */
export async function findSession(env: Record<string, string>, caller: string): Promise<Session> {
  const urls = new Map([
    ['postgres', env['DATABASE_URL']],
    ['worker', env['WORKER_DATABASE_URL']],
    ['sidecar', env['SIDECAR_DATABASE_URL']],
  ])
  const url = urls.get(caller)
  if (url !== undefined) return fromUrl(caller, url, {})

  const token = await findToken(env, caller)
  // Like PostgREST: authenticator logs in and becomes the role of the token, with its claims and the role's own settings.
  const claims = decodeJwt(token)
  const role = String(claims['role'])
  return fromUrl(caller, env['AUTHENTICATOR_DATABASE_URL'] ?? '', {
    ...(await readRoleSettings(env['DATABASE_URL'] ?? '', role)),
    role,
    search_path: 'public, extensions',
    'request.jwt.claims': JSON.stringify(claims),
  })
}

async function findToken(env: Record<string, string>, caller: string): Promise<string> {
  const keys = new Map([
    ['anon', env['SUPABASE_ANON_KEY']],
    ['service_role', env['SUPABASE_SERVICE_ROLE_KEY']],
  ])
  const email = caller.match(/^authenticated:([^\s@]+@[^\s@]+)$/)?.[1]?.toLowerCase()
  const token = email ? await tokenForEmail(env, email) : keys.get(caller)
  if (token === undefined) throw new UnknownCaller(`Unknown caller "${caller}". Use one of: ${callers.join(', ')}.`)
  return token
}

/** PostgREST applies the settings of the role that it becomes, such as its statement timeout. */
async function readRoleSettings(databaseUrl: string, role: string): Promise<Record<string, string>> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  try {
    const { rows } = await client.query<{ line: string }>(
      `select unnest(s.setconfig) as line from pg_db_role_setting as s
       where s.setrole = $1::regrole and s.setdatabase = 0`,
      [role],
    )
    return Object.fromEntries(
      rows.map(({ line }) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
  } finally {
    await client.end()
  }
}

function fromUrl(name: string, databaseUrl: string, settings: Record<string, string>): Session {
  const { hostname, port, username, password, pathname } = new URL(databaseUrl)
  return {
    name,
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    options: Object.entries(settings)
      .map(([setting, value]) => `-c ${setting}=${value.replace(/[\\\s]/g, '\\$&')}`)
      .join(' '),
  }
}
