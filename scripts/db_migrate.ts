import pg from 'pg'
import { readArguments } from './commands/read_arguments.ts'
import { runOnDatabase } from './database/command.ts'
import { setPassword } from './database/migrate.ts'
import { requirePassword, tryLogin } from './database/passwords.ts'
import { migrateAndReport } from './database/report.ts'
import { readShareBaseUrl, setShareBaseUrl } from './database/share_base_url.ts'

readArguments('db:migrate', {
  about: 'Safe to repeat. Without DATABASE_URL, it migrates the running local stack.',
  environment: [
    'DATABASE_URL',
    'PLINTH_HOME',
    'WORKER_DATABASE_PASSWORD',
    'SIDECAR_DATABASE_PASSWORD',
    'SHARE_BASE_URL',
  ],
  example: 'db:migrate',
})

await runOnDatabase(async (databaseUrl) => {
  const passwords = readPasswords()
  const shareBaseUrl = readShareBaseUrl()
  const { applied, warnings } = await migrateAndReport(databaseUrl)
  for (const line of warnings) console.error(line)
  return [...applied, ...(await setPasswords(databaseUrl, passwords)), ...(await setLinks(databaseUrl, shareBaseUrl))]
})

/** The passwords that the environment has for the roles of worker and sidecar. */
function readPasswords(): { role: string; password: string }[] {
  return ['worker', 'sidecar'].flatMap((role) => {
    const variable = `${role.toUpperCase()}_DATABASE_PASSWORD`
    const password = process.env[variable]
    return password ? [{ role, password: requirePassword(password, variable) }] : []
  })
}

/** Sets a password only where a login with it fails: poolers refuse a password for a while after it was set. */
async function setPasswords(databaseUrl: string, passwords: { role: string; password: string }[]): Promise<string[]> {
  const lines: string[] = []
  for (const { role, password } of passwords) {
    const login = await tryLogin(databaseUrl, role, password)
    if (login.is === 'accepted') continue
    if (login.is === 'unknown')
      console.error(`The password of role ${role} could not be tried, and is set again: ${login.reason}`)
    const client = new pg.Client(databaseUrl)
    await client.connect()
    try {
      await setPassword(client, role, password)
    } finally {
      await client.end()
    }
    lines.push(`Set the password of role ${role}`)
  }
  return lines
}

/** Without the variable, the links of shares stay as they are. */
async function setLinks(databaseUrl: string, url: string | undefined): Promise<string[]> {
  if (!url) return []
  const client = new pg.Client(databaseUrl)
  await client.connect()
  try {
    return (await setShareBaseUrl(client, url)) ? [`Set the URL of shares to ${url}`] : []
  } finally {
    await client.end()
  }
}
