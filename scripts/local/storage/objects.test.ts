import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from 'vitest'
import { asAdmin } from '../../testing/cluster.ts'
import { createDatabase, type TestDatabase } from '../../testing/database.ts'
import { until } from '../../testing/waiting.ts'
import { localKeys } from '../keys.ts'
import { adminConfig } from '../postgres.ts'
import { prepareSupabaseShim } from '../supabase_shim.ts'
import { createBuckets } from './buckets.ts'
import type { Caller } from './database.ts'
import type { Range } from './files.ts'
import { createObjects } from './objects.ts'
import { startStorage } from './server.ts'
import type { ListOptions, Objects, PutOptions, SearchOptions } from './types.ts'

let database: TestDatabase
let admin: Awaited<ReturnType<TestDatabase['connect']>>
let pool: pg.Pool
let objects: Objects
const folder = mkdtempSync(join(tmpdir(), 'plinth-storage-'))
const service = { role: 'service_role', claims: {} } as const

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.url('supabase_storage_admin'), max: 5 })
  admin = await database.connect()
  await admin.query("insert into storage.buckets (id, name) values ('files', 'files'), ('other', 'other')")
  objects = createObjects({ pool, folder })
})

afterAll(async () => {
  await pool.end()
  await database.drop()
  rmSync(folder, { recursive: true })
})

afterEach(async () => {
  const { rows } = await admin.query<{ bucket_id: string; names: string[] }>(
    'select bucket_id, array_agg(name) as names from storage.objects group by bucket_id',
  )
  for (const { bucket_id, names } of rows) await objects.remove(service, bucket_id, names)
  expect(files()).toEqual([])
})

const put = (name: string, body: string | Readable, options: Partial<PutOptions> = {}) =>
  objects.put(service, 'files', name, body instanceof Readable ? body : Readable.from([Buffer.from(body)]), {
    contentType: 'text/plain',
    upsert: false,
    ...options,
  })
const read = async (name: string, range?: Range) => text(await (await objects.open(service, 'files', name)).read(range))
const at = (name: string, bucket = 'files') => ({ bucket, name })
const files = () => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('/#'))

/** Checks that each row has the file that it describes, and that no other file exists. */
async function expectConsistent() {
  const { rows } = await admin.query(`select bucket_id, name, version, metadata->>'eTag' as etag from storage.objects`)
  const expected = rows.map(({ bucket_id, name, version }) => `${bucket_id}/${name}/#${version}`)
  expect(files().toSorted()).toEqual(expected.toSorted())
  for (const { bucket_id, name, etag } of rows) {
    const body = await text(await (await objects.open(service, bucket_id, name)).read())
    expect(etag).toBe(`"${createHash('md5').update(body).digest('hex')}"`)
  }
}

test('keeps a key and the keys below it, long segments, replacements, moves and copies', async () => {
  const long = `${'x'.repeat(450)}/c`
  await put('a', 'one')
  await put('a/b', 'two')
  await put(long, 'long')
  expect(await read('a')).toBe('one')
  expect(await read('a', { first: 1, last: 1 })).toBe('n')
  expect(await read(long)).toBe('long')
  expect(await objects.sweep()).toBe(0)
  await put('a', 'three', { upsert: true })
  await expect(put('a', 'four')).rejects.toMatchObject({ code: 'KeyAlreadyExists' })
  await objects.move(service, at('a'), at('d/e'))
  await objects.copy(service, at('a/b'), at('d/f'), { upsert: false })
  expect([await read('d/e'), await read('d/f'), await read('a/b')]).toEqual(['three', 'two', 'two'])
  await expect(read('a')).rejects.toMatchObject({ code: 'NoSuchKey' })
  expect((await objects.search(service, 'files', { prefix: 'd' })).map(({ name }) => name)).toEqual(['e', 'f'])
  const page = await objects.list(service, 'files', { prefix: '', withFolders: true, limit: 10, after: 'a/' })
  expect(page.map(({ name }) => name)).toEqual(['d/', long.replace('c', '')])
  expect((await objects.remove(service, 'files', ['d/e', 'missing'])).map(({ name }) => name)).toEqual(['d/e'])
  expect(files()).toHaveLength(3)
})

test('stores nothing of a body that is too long, too short, changed or broken', async () => {
  const failing = () =>
    Readable.from(
      (async function* () {
        yield Buffer.from('some')
        throw new Error('The client is gone.')
      })(),
    )
  const small = createObjects({ pool, folder, maxBytes: 3 })
  await expect(
    small.put(service, 'files', 'x', Readable.from([Buffer.from('ab'), Buffer.from('cd')]), {
      contentType: 'text/plain',
      upsert: false,
    }),
  ).rejects.toMatchObject({ code: 'EntityTooLarge', statusCode: 413 })
  await expect(put('x', 'four', { length: 5 })).rejects.toMatchObject({ code: 'IncompleteBody' })
  await expect(put('x', 'four', { length: 3 })).rejects.toMatchObject({ code: 'IncompleteBody' })
  await expect(put('x', 'four', { md5: Buffer.alloc(16).toString('base64') })).rejects.toMatchObject({
    code: 'InvalidChecksum',
  })
  await expect(put('x', failing())).rejects.toThrow('The client is gone.')
  await expect(put('x/.emptyFolderPlaceholder', 'x')).rejects.toMatchObject({ code: 'EntityTooLarge' })
  expect([files(), (await admin.query('select from storage.objects')).rowCount]).toEqual([[], 0])
  await put('x', 'four', { length: 4, md5: createHash('md5').update('four').digest('base64') })
  await put('x/.emptyFolderPlaceholder', '')
})

test('says in words that the disk is full, and leaves nothing', async () => {
  const handle = await open(import.meta.filename)
  const prototype = Object.getPrototypeOf(handle) as { write(): unknown; sync(): unknown }
  await handle.close()
  for (const call of ['write', 'sync'] as const) {
    const full = vi.spyOn(prototype, call).mockRejectedValue(Object.assign(new Error('full'), { code: 'ENOSPC' }))
    await expect(put('x', 'four')).rejects.toMatchObject({
      statusCode: 507,
      message: expect.stringMatching('disk is full'),
    })
    full.mockRestore()
  }
  expect([files(), (await admin.query('select from storage.objects')).rowCount]).toEqual([[], 0])
})

test('keeps the file of a change that Postgres did not confirm', async () => {
  await asAdmin(inject('cluster'), database.name, (superuser) =>
    superuser.query(`
      create function public.die() returns trigger language plpgsql security definer
        as 'begin perform pg_terminate_backend(pg_backend_pid()); return null; end';
      create constraint trigger die after insert on storage.objects deferrable initially deferred
        for each row execute function public.die()`),
  )
  await expect(put('x', 'lost')).rejects.toThrow('did not confirm')
  expect(files()).toHaveLength(1)
  expect(await objects.sweep()).toBe(1)
  await asAdmin(inject('cluster'), database.name, (superuser) => superuser.query('drop function public.die cascade'))
  await put('x', 'kept')
})

test('gives one consistent result when changes of a key meet', async () => {
  const settle = async (...changes: Promise<unknown>[]) =>
    (await Promise.allSettled(changes)).map(({ status }) => status)
  const all = (count: number, change: (n: number) => Promise<unknown>) =>
    Array.from({ length: count }, (_, n) => change(n))

  // One of several uploads wins.
  const first = await settle(...all(8, (n) => put('new', `body ${n}`)))
  expect(first.filter((status) => status === 'fulfilled')).toHaveLength(1)
  await expectConsistent()

  // Replacements follow one another.
  expect(new Set(await settle(...all(8, (n) => put('new', `again ${n}`, { upsert: true }))))).toEqual(
    new Set(['fulfilled']),
  )
  await expectConsistent()

  // One of several moves wins.
  const moves = await settle(...all(6, (n) => objects.move(service, at('new'), at(`moved/${n}`))))
  expect(moves.filter((status) => status === 'fulfilled')).toHaveLength(1)
  await expectConsistent()

  for (let round = 0; round < 6; round++) {
    await put('busy', `start ${round}`, { upsert: true })
    await settle(
      put('busy', `put ${round}`, { upsert: true }),
      objects.remove(service, 'files', ['busy', 'target', 'copied']),
      objects.move(service, at('busy'), at('target')),
      put('target', `target ${round}`, { upsert: true }),
      objects.copy(service, at('busy'), at('copied'), { upsert: true }),
      objects.move(service, at('target'), at('busy')),
      objects.removeOne(service, 'files', 'target'),
      objects.sweep(),
    )
    await expectConsistent()
  }
})

test('removals of the same keys in another order do not wait for each other', async () => {
  const names = Array.from({ length: 200 }, (_, n) => `many/${n}`)
  for (let round = 0; round < 3; round++) {
    await admin.query(
      `insert into storage.objects (bucket_id, name, version) select 'files', unnest($1::text[]), gen_random_uuid()`,
      [names],
    )
    const removed = await Promise.all([
      objects.remove(service, 'files', names),
      objects.remove(service, 'files', names.toReversed()),
      objects.remove(service, 'files', names.toSorted()),
    ])
    expect(removed.flat()).toHaveLength(names.length)
  }
})

test('deletes no bucket into which an upload goes', async () => {
  const buckets = createBuckets({ pool, objects })
  for (let round = 0; round < 5; round++) {
    await buckets.create(service, 'brief', {})
    const upload = objects.put(service, 'brief', 'x', Readable.from([Buffer.from('x')]), {
      contentType: 'text/plain',
      upsert: false,
    })
    const [put, removal] = await Promise.allSettled([upload, buckets.remove(service, 'brief')])
    expect([put.status, removal.status].toSorted()).toEqual(['fulfilled', 'rejected'])
    await expectConsistent()
    await buckets.empty(service, 'brief').catch(() => {})
    await buckets.remove(service, 'brief').catch(() => {})
  }
})

test('lists and empties 10,000 objects, also for a user with policies, in a short time', async () => {
  await admin.query(`
    create policy select_listed on storage.objects
      for select to authenticated
      using (bucket_id = 'other' and (storage.foldername(name))[1] = (select auth.uid())::text);
    insert into storage.objects (bucket_id, name, version)
    select 'other', format('%s/%s/%s', case when n % 2 = 0 then 'u' else '11111111-1111-4111-8111-111111111111' end, n, n), gen_random_uuid()
    from generate_series(1, 6000) as n;
    insert into storage.objects (bucket_id, name, version)
    select 'other', format('flat/%s', lpad(n::text, 5, '0')), gen_random_uuid() from generate_series(1, 4000) as n;
    analyze storage.objects`)
  const user = { role: 'authenticated', claims: { sub: '11111111-1111-4111-8111-111111111111' } } as const
  const start = performance.now()
  const page = { limit: 1000 }
  const search = async (caller: Caller, options: SearchOptions) =>
    (await objects.search(caller, 'other', options)).map(({ name }) => name)
  const list = async (caller: Caller, options: Partial<ListOptions>) =>
    (await objects.list(caller, 'other', { prefix: '', withFolders: true, ...page, ...options })).map(
      ({ name }) => name,
    )
  const own = user.claims.sub
  const descending = { sortBy: { column: 'name', order: 'desc' } }
  expect(await search(service, { prefix: 'u', ...page })).toHaveLength(1000)
  expect(await search(service, { prefix: 'u', ...page, offset: 2500 })).toHaveLength(500)
  expect(await search(service, { prefix: 'flat', ...page, offset: 3000 })).toHaveLength(1000)
  expect(await search(service, { prefix: 'flat', ...page, sortBy: { column: 'created_at' } })).toHaveLength(1000)
  // These jump over folders with thousands of files.
  expect(await search(service, { prefix: '' })).toEqual([own, 'flat', 'u'])
  expect(await search(service, { prefix: '', ...descending })).toEqual(['u', 'flat', own])
  expect(await search(service, { prefix: '', offset: 1, limit: 1 })).toEqual(['flat'])
  expect(await list(service, {})).toEqual([`${own}/`, 'flat/', 'u/'])
  expect(await list(service, { ...descending, after: 'u/' })).toEqual(['flat/', `${own}/`])
  expect(await search(user, { prefix: own, ...page })).toHaveLength(1000)
  expect(await search(user, { prefix: '' })).toEqual([own])
  expect(await search(user, { prefix: 'u' })).toEqual([])
  expect(await list(user, { prefix: `${own}/` })).toHaveLength(1000)
  expect(await list(user, {})).toEqual([`${own}/`])
  expect(await list(user, { withFolders: false })).toHaveLength(1000)
  await createBuckets({ pool, objects }).empty(service, 'other')
  expect((await admin.query('select from storage.objects')).rowCount).toBe(0)
  // Each takes under a second alone. A scan for each folder would take minutes.
  expect(performance.now() - start).toBeLessThan(120_000)
})

test('the shim adds to databases of earlier releases, and leaves those of the real Storage alone', async () => {
  const cluster = inject('cluster')
  const config = adminConfig({ port: cluster.port, adminPassword: cluster.secrets.adminPassword }, database.name)
  const describe = async () =>
    (
      await admin.query(`
        select
          (select array_agg(attname order by attname) from pg_attribute
           where attrelid in ('storage.objects'::regclass, 'storage.buckets'::regclass) and attnum > 0 and not attisdropped
          ) as columns,
          (select array_agg(indexname order by indexname) from pg_indexes where schemaname = 'storage') as indexes,
          (select array_agg(tgname order by tgname) from pg_trigger where tgrelid = 'storage.objects'::regclass) as triggers,
          (select array_agg(concat(oid::regprocedure, proacl) order by oid::regprocedure::text)
           from pg_proc where pronamespace = 'storage'::regnamespace) as functions`)
    ).rows
  const current = await describe()
  const age =
    'drop type storage.buckettype cascade; drop index storage.idx_objects_bucket_id_name; ' +
    'drop index storage.idx_objects_bucket_id_name_lower; drop trigger update_objects_updated_at on storage.objects; ' +
    'drop function storage.search, storage.search_v2, storage.operation, storage.update_updated_at_column'
  await asAdmin(cluster, database.name, (superuser) => superuser.query(age))
  const old = await describe()
  for (const [name, value] of Object.entries(old[0])) expect(value).not.toEqual(current[0][name])
  await asAdmin(cluster, database.name, (superuser) => superuser.query('create table storage.migrations (id integer)'))
  await prepareSupabaseShim(config)
  expect(await describe()).toEqual(old)
  await asAdmin(cluster, database.name, (superuser) => superuser.query('drop table storage.migrations'))
  await prepareSupabaseShim(config)
  expect(await describe()).toEqual(current)
})

test('a start removes what a killed process left', async () => {
  const home = mkdtempSync(join(tmpdir(), 'plinth-killed-'))
  const options = {
    databaseUrl: database.url('supabase_storage_admin'),
    folder: join(home, 'storage'),
    keys: await localKeys(inject('cluster').secrets),
  }
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `
      import { startStorage } from ${JSON.stringify(join(import.meta.dirname, 'server.ts'))}
      console.log((await startStorage(JSON.parse(process.argv[1]))).port)`,
      JSON.stringify(options),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  try {
    const [port] = await new Promise<Buffer[]>((resolve) => child.stdout.once('data', (data) => resolve([data])))
    const upload = request(`http://127.0.0.1:${Number(port)}/object/files/slow`, {
      method: 'POST',
      headers: { authorization: `Bearer ${options.keys.serviceRoleKey}`, 'content-length': 1000 },
    })
    upload.on('error', () => {}).write('the beginning')
    const left = () => readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('#'))
    await until('the upload has a file', () => left().length === 1)
    child.kill('SIGKILL')
    await until('the process is gone', () => child.signalCode !== null)
    // A file that Storage did not write is nobody's orphan.
    writeFileSync(join(home, 'storage', 'files', 'notes.txt'), 'mine')
    const storage = await startStorage(options)
    expect([await storage.swept, left()]).toEqual([1, []])
    expect(readdirSync(join(home, 'storage', 'files'))).toEqual(['notes.txt'])
    await storage.close()
    expect((await admin.query('select from storage.objects')).rowCount).toBe(0)
  } finally {
    child.kill('SIGKILL')
    rmSync(home, { recursive: true })
  }
})
