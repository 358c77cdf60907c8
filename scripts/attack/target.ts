import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { signUserToken } from '../local/jwt.ts'

/** The result of an attack: a figure, the bound that the figure must keep, and the figure before the mend. */
export type Verdict = {
  name: string
  figure: number
  unit: string
  /** The largest figure with which the stack withstands the attack. */
  bound: number
  holds: boolean
  /** The figure at commit 41ee9b9, before the limits, and the day of its measurement. */
  before: { figure: number; on: string }
}

/** A request of an attacker. */
export type Sent = {
  method?: string
  /** The address that the proxy in front of the service names. */
  address?: string
  token?: string
  headers?: Record<string, string>
  /** Text or bytes as they are, a form, or a value that is sent as JSON. */
  body?: unknown
  /** Sends the request through the gateway instead of to the service behind it. */
  throughGateway?: boolean
  seconds?: number
}

/** An answer. Status 0: the connection broke, or no answer came in time. */
export type Answer = { status: number; slug: string; text: string; headers: Headers; ms: number }

/** A stack that runs on this machine, and the attacker's tools. */
export type Target = {
  env: Record<string, string>
  /** The folder of the stack. */
  home: string
  /** A session as `postgres`: prepares victims and reads figures. */
  db: pg.Client
  /** Sends a request to PostgREST, or to the sidecar if its path begins with /api. */
  ask(path: string, sent?: Sent): Promise<Answer>
  /** Makes a user, and returns a token of the user. */
  signUp(): Promise<{ id: string; token: string }>
  /** Changes columns of app.settings while `work` runs. */
  withSettings<T>(settings: Record<string, unknown>, work: () => Promise<T>): Promise<T>
  /** Changes the behaviour of the stand-in for Gemini. */
  behave(behaviour: object): Promise<void>
  /** Returns the text of a log of the stack. */
  log(name: string): string
  /** Returns the process id of a part of the stack. */
  pid(name: string): number
  close(): Promise<void>
}

/** Opens a stack by its `env` file and its folder. Refuses a stack that is not on this machine. */
export async function openTarget(env: Record<string, string>, home: string): Promise<Target> {
  for (const name of [
    'SUPABASE_URL',
    'POSTGREST_URL',
    'SIDECAR_URL',
    'DATABASE_URL',
    'GEMINI_BASE_URL',
    'S3_ENDPOINT',
  ]) {
    requireLoopback(name, env[name])
  }
  const db = new pg.Client(env['DATABASE_URL'])
  db.on('error', () => {})
  await db.connect()
  return {
    env,
    home,
    db,
    ask: (path, sent = {}) => ask(env, path, sent),
    signUp: async () => {
      const id = crypto.randomUUID()
      const email = `${id}@example.com`
      await db.query(
        `insert into auth.users (id, aud, role, email, email_confirmed_at, created_at, updated_at)
         values ($1, 'authenticated', 'authenticated', $2, now(), now(), now())`,
        [id, email],
      )
      return { id, token: await signUserToken({ id, email }, env['JWT_SECRET'] ?? '') }
    },
    withSettings: (settings, work) => withSettings(db, settings, work),
    behave: async (behaviour) => {
      await fetch(`${env['GEMINI_BASE_URL']}/stand-in`, { method: 'PUT', body: JSON.stringify(behaviour) })
    },
    log: (name) => readFileSync(join(home, 'logs', `${name}.log`), 'utf8'),
    pid: (name) => JSON.parse(readFileSync(join(home, 'run', `${name}.json`), 'utf8')).pid,
    close: () => db.end(),
  }
}

/** Compares a figure with its bound. */
export function judge(verdict: Omit<Verdict, 'holds'>): Verdict {
  return { ...verdict, figure: Number(verdict.figure.toPrecision(3)), holds: verdict.figure <= verdict.bound }
}

/** Returns whether a request was accepted. Throws if it was refused for another reason than these. */
export function isAccepted({ status, slug, text }: Answer, ...refusals: string[]): boolean {
  if (status >= 200 && status < 300) return true
  if (refusals.includes(slug)) return false
  throw new Error(`Unexpected answer ${status}: ${text.slice(0, 300)}`)
}

/** Shares a flow, by default a small one without an account. */
export function shareFlow(target: Target, sent: Sent, flow: object = smallFlow, visibility = 'unlisted') {
  return target.ask('/rpc/share_flow', { ...sent, body: { flow, visibility, share_id: crypto.randomUUID() } })
}

const smallFlow = { name: 'f', nodes: [], edges: [] }

/** Resolves with the first value that is not undefined; fails after some seconds. */
export async function until<T>(what: string, seconds: number, look: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + seconds * 1000
  for (;;) {
    const value = await look()
    if (value !== undefined) return value
    if (performance.now() > end) throw new Error(`${what}: not after ${seconds} s.`)
    await sleep(50)
  }
}

/** Throws unless the host of a URL is this machine. */
export function requireLoopback(name: string, url = ''): void {
  const host = URL.canParse(url) ? new URL(url).hostname : url
  if (['127.0.0.1', '[::1]', 'localhost'].includes(host)) return
  throw new Error(`${name} is not on this machine. Attack only a local stack with its stand-in for Gemini.`)
}

async function ask(env: Record<string, string>, path: string, sent: Sent): Promise<Answer> {
  const service = path.startsWith('/api') ? env['SIDECAR_URL'] : env['POSTGREST_URL']
  const gateway = path.startsWith('/api') ? env['SUPABASE_URL'] : `${env['SUPABASE_URL']}/rest/v1`
  const { body } = sent
  const isRaw = typeof body === 'string' || body instanceof Uint8Array || body instanceof FormData || body === undefined
  const from = performance.now()
  const answer = { status: 0, slug: '', text: '', headers: new Headers() }
  try {
    const response = await fetch((sent.throughGateway ? gateway : service) + path, {
      method: sent.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
        ...(sent.throughGateway && { apikey: env['SUPABASE_ANON_KEY'] ?? '' }),
        ...(sent.address !== undefined && { 'x-client-address': sent.address }),
        ...(sent.token !== undefined && { authorization: `Bearer ${sent.token}` }),
        ...sent.headers,
      },
      body: isRaw ? (body as string) : JSON.stringify(body),
      signal: AbortSignal.timeout((sent.seconds ?? 30) * 1000),
    })
    const text = await response.text()
    Object.assign(answer, { status: response.status, headers: response.headers, text, slug: slugOf(text) })
  } catch (error) {
    answer.text = String((error as Error).cause ?? error)
  }
  return { ...answer, ms: performance.now() - from }
}

function slugOf(text: string): string {
  try {
    const { details } = JSON.parse(text) as { details?: unknown }
    return typeof details === 'string' ? details : ''
  } catch {
    return ''
  }
}

async function withSettings<T>(db: pg.Client, settings: Record<string, unknown>, work: () => Promise<T>): Promise<T> {
  const names = Object.keys(settings)
  const { rows } = await db.query('select to_jsonb(s) as before from app.settings as s')
  // A release without a setting is attacked, too.
  const known = names.filter((name) => name in rows[0].before)
  const change = (values: Record<string, unknown>) =>
    Promise.all(
      known.map((name) => db.query(`update app.settings set ${pg.escapeIdentifier(name)} = ${literal(values[name])}`)),
    )
  await change(settings)
  try {
    return await work()
  } finally {
    await change(rows[0].before)
  }
}

function literal(value: unknown): string {
  return value === null || value === undefined ? 'null' : pg.escapeLiteral(String(value))
}
