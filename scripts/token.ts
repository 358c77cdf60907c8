import { parseArgs } from 'node:util'
import pg from 'pg'
import { homeFolder, readEnv } from './local/home.ts'
import { signUserToken } from './local/jwt.ts'

// Prints an access token for a local user, who is created if needed: the embedded target has no Auth server.
const { values } = parseArgs({ options: { email: { type: 'string' } }, strict: false })
const email = typeof values.email === 'string' ? values.email.trim().toLowerCase() : ''
if (!email || !/^[^\s@]+@[^\s@]+$/.test(email) || email.length > 255)
  fail('Usage: npm run token -- --email ana@example.com')

const env = readEnv(homeFolder())
if (!env) fail(`No local stack runs in ${homeFolder()}: start one with npm start.`)

const client = new pg.Client(env['DATABASE_URL'])
await client.connect()
await client.query(
  `insert into auth.users (id, aud, role, email, email_confirmed_at, created_at, updated_at)
   values (gen_random_uuid(), 'authenticated', 'authenticated', $1, now(), now(), now())
   on conflict (email) where is_sso_user = false do nothing`,
  [email],
)
const { rows } = await client.query<{ id: string }>('select id from auth.users where email = $1 and not is_sso_user', [
  email,
])
await client.end()
console.log(signUserToken({ id: rows[0]?.id ?? '', email }, env['JWT_SECRET'] ?? ''))

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}
