import { execFile } from 'node:child_process'
import { chownSync, copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { freePort } from '../scripts/local/ports.ts'
import { type Child, startChild, systemEnv } from '../scripts/local/process.ts'
import { spacesEnv } from '../scripts/local/services.ts'
import { type Certificates, makeCertificates } from '../scripts/testing/certificates.ts'
import { asAdmin, type Cluster, databaseUrl, prepareDatabase, startCluster } from '../scripts/testing/cluster.ts'
import { until } from '../scripts/testing/waiting.ts'

// Real processes against a Postgres whose certificate comes from a CA of its own. For them, db.plinth.test is another machine.
const root = join(import.meta.dirname, '..')
let cluster: Cluster
let folder: string
let own: Certificates
let strange: Certificates
const children: Child[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'plinth-tls-'))
  own = makeCertificates(join(folder, 'own'), 'db.plinth.test')
  strange = makeCertificates(join(folder, 'strange'), 'db.plinth.test')
  cluster = await startCluster()
  await prepareDatabase(cluster, 'plinth')
  const data = join(cluster.home, 'postgres/data')
  const { uid, gid } = statSync(data)
  for (const [from, name] of [[own.certificate, 'server.crt'] as const, [own.key, 'server.key'] as const]) {
    copyFileSync(from, join(data, name))
    chownSync(join(data, name), uid, gid)
  }
  await asAdmin(cluster, 'plinth', async (admin) => {
    await admin.query('alter system set ssl = on')
    await admin.query('select pg_reload_conf()')
  })
})
afterEach(() => Promise.all(children.splice(0).map((child) => child.stop('SIGTERM', 6000))))
afterAll(async () => {
  await cluster?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Returns the URL of the database under the name of another machine. */
function remoteUrl(role: 'postgres' | 'worker' | 'sidecar', parameters: string, host = 'db.plinth.test'): string {
  return databaseUrl(cluster, 'plinth', role).replace('@127.0.0.1', `@${host}`) + parameters
}

const verified = () => `?sslmode=verify-full&sslrootcert=${own.ca}`

const environment = (url: string, more: Record<string, string> = {}) => ({
  ...systemEnv(),
  NODE_OPTIONS: `--import=${join(root, 'scripts/testing/near_names.ts')}`,
  DATABASE_URL: url,
  PLINTH_HOME: folder,
  WORKER_DRAIN_SECONDS: '0',
  ...spacesEnv(1),
  ...more,
})

/** Runs a program to its end. */
function run(program: string, url: string, args: string[] = []): Promise<{ code: unknown; said: string }> {
  return new Promise((resolve) => {
    const options = { env: environment(url), cwd: root, timeout: 100_000 }
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, said: stdout + stderr }),
    )
  })
}

/** Starts a worker or sidecar. */
async function start(name: 'worker' | 'sidecar', url: string) {
  const port = await freePort()
  const child = startChild(folder, name, process.execPath, [join(root, name, 'main.ts')], {
    env: environment(url, { WORKER_HEALTH_PORT: String(port), SIDECAR_PORT: String(port) }),
  })
  children.push(child)
  const path = name === 'worker' ? 'healthz' : 'api/health'
  const health = () =>
    fetch(`http://127.0.0.1:${port}/${path}`).then(
      async (response) => ({ status: response.status, body: await response.text() }),
      () => ({ status: 0, body: '' }),
    )
  return { health, log: () => readFileSync(child.log, 'utf8') }
}

/** Returns the connections of a role, and whether they are encrypted. */
function connections(role: string): Promise<Record<string, boolean>> {
  return asAdmin(cluster, 'plinth', async (admin) => {
    const { rows } = await admin.query<{ name: string; encrypted: boolean }>(
      `select a.application_name as name, bool_and(s.ssl) as encrypted
      from pg_stat_activity as a join pg_stat_ssl as s using (pid) where a.usename = $1 group by 1 order by 1`,
      [role],
    )
    return Object.fromEntries(rows.map(({ name, encrypted }) => [name, encrypted]))
  })
}

test('with verify-full and the CA, every connection of worker and sidecar is encrypted, heartbeats included', async () => {
  const [worker, sidecar] = await Promise.all([
    start('worker', remoteUrl('worker', verified())),
    start('sidecar', remoteUrl('sidecar', verified())),
  ])
  await until('the worker is healthy', async () => (await worker.health()).status === 200)
  await until('the sidecar is healthy', async () => (await sidecar.health()).status === 200)
  await until('the worker beats and sweeps', async () => 'plinth-worker sweep' in (await connections('worker')))
  expect(await connections('worker')).toEqual({
    'plinth-worker': true,
    'plinth-worker heartbeat': true,
    'plinth-worker sweep': true,
  })
  expect(await connections('sidecar')).toEqual({ 'plinth-sidecar': true })
})

test('with verify-full and the CA, db:migrate works; with no-verify, templates:list works', async () => {
  const [migrated, listed] = await Promise.all([
    run('scripts/db_migrate.ts', remoteUrl('postgres', verified())),
    run('scripts/templates_list.ts', remoteUrl('postgres', '?sslmode=no-verify')),
  ])
  expect(migrated).toEqual({ code: 0, said: expect.stringContaining('Nothing to do.') })
  expect(listed).toEqual({ code: 0, said: expect.stringContaining('No template is published.') })
})

test('a certificate of another CA, or for another host, is refused with what to do', async () => {
  const wrong = `?sslmode=verify-full&sslrootcert=${strange.ca}`
  const [worker, sidecar] = await Promise.all([
    start('worker', remoteUrl('worker', wrong)),
    start('sidecar', remoteUrl('sidecar', wrong)),
  ])
  const [migrated, unknown, other] = await Promise.all([
    run('scripts/db_migrate.ts', remoteUrl('postgres', wrong)),
    run('scripts/templates_list.ts', remoteUrl('postgres', '?sslmode=verify-full')),
    run('scripts/templates_list.ts', remoteUrl('postgres', verified(), 'other.plinth.test')),
  ])
  expect(migrated).toEqual({ code: 1, said: expect.stringContaining('add &sslrootcert=<its file> to DATABASE_URL') })
  expect(unknown).toEqual({ code: 1, said: expect.stringContaining('not signed by a CA that this process knows') })
  expect(other).toEqual({ code: 1, said: expect.stringContaining('use the host name of the certificate') })
  const hint = '"hint":"The certificate of the database is not signed by a CA'
  await until('the worker says why', async () => worker.log().includes(hint))
  await until('the sidecar says why', async () => (await sidecar.health()).body.includes('encrypted or verified'))
  expect(sidecar.log()).toContain(hint)
  expect({ ...(await connections('worker')), ...(await connections('sidecar')) }).toEqual({})
})

test('a server without TLS is refused', async () => {
  await asAdmin(cluster, 'plinth', async (admin) => {
    await admin.query('alter system set ssl = off')
    await admin.query('select pg_reload_conf()')
  })
  try {
    await until('the server offers no TLS', () =>
      asAdmin(cluster, 'plinth', async (admin) => (await admin.query('show ssl')).rows[0]?.ssl === 'off'),
    )
    for (const parameters of [verified(), '?sslmode=no-verify']) {
      const { code, said } = await run('scripts/templates_list.ts', remoteUrl('postgres', parameters))
      expect(code).toBe(1)
      expect(said).toContain('The server offers no TLS: switch on its setting ssl')
    }
  } finally {
    await asAdmin(cluster, 'plinth', async (admin) => {
      await admin.query('alter system set ssl = on')
      await admin.query('select pg_reload_conf()')
    })
  }
})

test('each program refuses another machine without verify-full before it connects', async () => {
  let reached = 0
  const server = createServer((socket) => {
    reached += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = `postgres://worker:s3cret@db.plinth.test:${(server.address() as AddressInfo).port}/plinth`
  const programs: [string, string, string[]?][] = [
    ['worker/main.ts', ''],
    ['sidecar/main.ts', '?sslmode=require'],
    ['scripts/db_migrate.ts', '?sslmode=prefer'],
    ['scripts/db_seed.ts', '?sslmode=disable'],
    ['scripts/templates_list.ts', '?sslmode=verify-ca'],
    ['scripts/upload_bundle.ts', '', ['--template', 'section7', '--dry-run']],
  ]
  try {
    for (const [program, parameters, args] of programs) {
      const { code, said } = await run(program, at + parameters, args)
      expect(code, program).toBe(2)
      expect(said, program).toMatch(/DATABASE_URL:? has .*add \?sslmode=verify-full/)
      expect(said, program).not.toContain('s3cret')
    }
    expect(reached).toBe(0)
  } finally {
    server.close()
  }
})
