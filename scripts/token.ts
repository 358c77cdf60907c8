import { parseArgs } from 'node:util'
import { homeFolder, readEnv } from './local/home.ts'
import { tokenForEmail } from './local/user.ts'

// Prints an access token for a local user, who is created if needed.
const { values } = parseArgs({ options: { email: { type: 'string' } }, strict: false })
const email = typeof values.email === 'string' ? values.email.trim().toLowerCase() : ''
if (!email || !/^[^\s@]+@[^\s@]+$/.test(email) || email.length > 255)
  fail('Usage: npm run token -- --email ana@example.com')

const env = readEnv(homeFolder())
if (!env) fail(`No local stack runs in ${homeFolder()}: start one with npm start.`)

console.log(await tokenForEmail(env, email))

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}
