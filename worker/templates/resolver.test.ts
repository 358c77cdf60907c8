import { execFile, execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { systemEnv } from '../../scripts/local/process.ts'
import { spacesEnv, templateBucket } from '../../scripts/local/services.ts'
import { findBundle, type Published, planVersion, publish } from '../../scripts/templates/publish.ts'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { type FaultyDatabase, startFaultyDatabase } from '../../scripts/testing/faulty_database.ts'
import {
  type FaultyStore,
  spacesConfig,
  startFaultyStore,
  startTestStore,
  type TestStore,
  testTemplatesEnv,
} from '../../scripts/testing/store.ts'
import { createDb } from '../shared/db.ts'
import { createSpaces, type Store } from '../shared/object_store.ts'
import { createCache } from './cache.ts'
import { hash } from './manifest.ts'
import { createTemplates, type TemplateRequest, type Templates } from './resolver.ts'

// The scenarios of origin 001, and every failure, as role worker, on a real Postgres and a real S3 server behind proxies.
let database: TestDatabase
let operator: pg.Client
let faultyDatabase: FaultyDatabase
let store: TestStore
let faultyStore: FaultyStore
let through: Store
let pool: pg.Pool
/** The publisher's bundles, and the bundles that are part of the worker's code. */
let authored: string
let bundled: string
let home: string
let lines: Record<string, unknown>[] = []
const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })

beforeAll(async () => {
  database = await createDatabase()
  operator = await database.connect()
  faultyDatabase = await startFaultyDatabase(inject('cluster').port)
  store = await startTestStore()
  faultyStore = await startFaultyStore(store.port)
  through = createSpaces(spacesConfig(faultyStore.port, templateBucket, 3))
  pool = new pg.Pool({ connectionString: faultyDatabase.through(database.url('worker')) })
  pool.on('error', () => {}).on('connect', (client) => client.on('error', () => {}))
})
beforeEach(() => {
  lines = []
  home = mkdtempSync(join(tmpdir(), 'plinth-templates-'))
  authored = join(home, 'authored')
  bundled = join(home, 'bundled')
  mkdirSync(authored)
  mkdirSync(bundled)
})
afterEach(() => {
  faultyStore.heal()
  faultyDatabase.heal()
  rmSync(home, { recursive: true, force: true })
})
afterAll(async () => {
  await pool.end()
  through.close()
  faultyStore.stop()
  faultyDatabase.stop()
  await store.stop()
  await database.drop()
})

/** Writes a bundle of versions `{ '1.0.0': { main_prompt: 'text' } }`, and returns its name. */
function write(root: string, versions: Record<string, Record<string, string>>, name = someName()): string {
  const folder = join(root, name)
  for (const [version, files] of Object.entries(versions)) {
    mkdirSync(join(folder, `v${version}`), { recursive: true })
    for (const [kind, text] of Object.entries(files)) writeFileSync(join(folder, `v${version}`, `${kind}.md`), text)
  }
  const manifest = {
    template: name,
    default_version: Object.keys(versions)[0],
    versions: Object.fromEntries(
      Object.entries(versions).map(([version, files]) => [
        version,
        {
          artifacts: Object.keys(files).map((kind) => ({
            kind,
            locale: kind === 'config' ? null : 'en',
            file: `${kind}.md`,
            content_type: 'text/markdown',
          })),
        },
      ]),
    ),
  }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
  return name
}

async function upload(name: string, version: string, setDefault = false): Promise<Published> {
  const plan = await planVersion(await findBundle(name, authored), version)
  // Its own connection, like the command.
  const client = await database.connect()
  try {
    return await publish({ db: createDb(client as unknown as pg.Pool), store: store.templates }, plan, { setDefault })
  } finally {
    await client.end()
  }
}

/** Submits a job that builds prompts. */
async function someJob(): Promise<number> {
  await operator.query("insert into job_types (name) values ('prompting') on conflict do nothing")
  const { rows } = await operator.query(
    `select app.submit_run('{"key": "a", "type": "prompting"}', null, null)::integer as id`,
  )
  return rows[0].id
}

const someName = () => `t${crypto.randomUUID().slice(0, 8)}`
const texts = { main_prompt: 'Write {{what}}.', config: '{"lines": 3}', example: 'A line.\n'.repeat(50) }
const cache = (ttlMs = 86_400_000) => createCache(join(home, 'cache'), { ttlMs })
const make = (options: Partial<Parameters<typeof createTemplates>[0]> = {}): Templates =>
  createTemplates({
    isRemote: true,
    db: createDb(pool),
    store: through,
    cache: cache(),
    logger,
    bundlesFolder: bundled,
    ...options,
  })
const ask = (template: string, version?: string): TemplateRequest => ({
  template,
  locale: 'en',
  ...(version !== undefined && { version }),
})
const proofs = () => lines.filter(({ msg }) => String(msg).startsWith('[PROOF]'))
const cached = (name: string, version: string, kind: string) => join(home, 'cache', name, version, `${kind}_en`)

describe('the scenarios of origin 001', () => {
  test('1 to 5: published texts come from the store at first, verified, and from the cache afterwards', async () => {
    const client = await database.connect()
    const plan = await planVersion(await findBundle('section7'), '1.0.0')
    const published = await publish({ db: createDb(client as unknown as pg.Pool), store: store.templates }, plan, {
      setDefault: true,
    })
    await client.end()
    expect(published).toMatchObject({
      template: 'section7-ai-formatter',
      is_new: true,
      is_default: true,
      status: 'stable',
    })

    const templates = make()
    const request: TemplateRequest = { template: 'section7-ai-formatter', locale: 'fr' }
    const first = await templates.resolve(request)
    expect(first).toMatchObject({ version: '1.0.0', source: 'remote', template: 'section7-ai-formatter' })
    expect(Object.keys(first.artifacts).sort()).toEqual(['golden_example', 'json_config', 'master_prompt'])
    expect(Object.keys(first.prompts).sort()).toEqual(['system', 'user'])
    expect(first.artifacts['master_prompt']?.text).toBe(
      readFileSync(join(import.meta.dirname, 'bundles/section7/v1.0.0/section7_master.md'), 'utf8'),
    )
    expect(first.artifacts['json_config']).toMatchObject({ locale: null, source: 'remote' })
    for (const { text, sha256 } of Object.values(first.artifacts)) expect(hash(Buffer.from(text))).toBe(sha256)

    const asked = faultyStore.requests('GET')
    const second = await templates.resolve(request)
    expect(second).toMatchObject({ source: 'cache', version: '1.0.0', versionId: first.versionId })
    expect(second.artifacts['master_prompt']?.text).toBe(first.artifacts['master_prompt']?.text)
    expect(faultyStore.requests('GET')).toBe(asked)
    expect(proofs().map(({ source }) => source)).toEqual(['remote', 'cache'])
    expect(proofs()[1]).toMatchObject({
      msg: '[PROOF] Template was resolved',
      template: 'section7-ai-formatter',
      asked: 'default',
      version: '1.0.0',
      hashes: { master_prompt_fr: `cache ${first.artifacts['master_prompt']?.sha256}` },
    })
  })

  test('one resolver gives each language its own texts', async () => {
    const client = await database.connect()
    const plan = await planVersion(await findBundle('section7'), '1.0.0')
    await publish({ db: createDb(client as unknown as pg.Pool), store: store.templates }, plan, { setDefault: true })
    await client.end()
    const templates = make()
    for (const [locale, file] of [
      ['fr', 'section7_master.md'],
      ['en', 'section7_master_en.md'],
      ['fr', 'section7_master.md'],
    ] as const) {
      const got = await templates.resolve({ template: 'section7-ai-formatter', locale })
      expect(got.artifacts['master_prompt']?.text).toBe(
        readFileSync(join(import.meta.dirname, 'bundles/section7/v1.0.0', file), 'utf8'),
      )
    }
  })

  test('6: without store and cache, the bundled files of the same version are used, verified', async () => {
    const name = write(authored, { '1.0.0': texts })
    write(bundled, { '1.0.0': texts }, name)
    await upload(name, '1.0.0', true)
    faultyStore.fail('refuse')
    const got = await make().resolve(ask(name))
    expect(got).toMatchObject({ source: 'filesystem', version: '1.0.0' })
    expect(got.artifacts['main_prompt']).toMatchObject({ text: texts.main_prompt, source: 'filesystem' })
    expect(proofs()).toHaveLength(1)
    expect(proofs()[0]).toMatchObject({ source: 'filesystem', level: 40 })
    expect(String(proofs()[0]?.['reasons'])).toContain('Getting an object failed')
  })

  test('7: a rollback takes effect at the next resolution', async () => {
    const name = write(authored, { '1.0.0': texts, '1.1.0': { ...texts, main_prompt: 'Newer.' } })
    await upload(name, '1.0.0', true)
    await upload(name, '1.1.0', true)
    const templates = make()
    expect((await templates.resolve(ask(name))).artifacts['main_prompt']?.text).toBe('Newer.')
    await operator.query('select app.set_default_version($1, $2)', [name, '1.0.0'])
    expect(await templates.resolve(ask(name))).toMatchObject({ version: '1.0.0', source: 'remote' })
    expect(await templates.resolve(ask(name, '1.1.0'))).toMatchObject({ version: '1.1.0', source: 'cache' })
  })
})

describe('without the flag', () => {
  test('the bundle provides the texts, and the resolver asks neither Postgres nor the store', async () => {
    const name = write(bundled, { '1.0.0': texts, '2.0.0-rc.1': { ...texts, main_prompt: 'Next.' } })
    const query = () => Promise.reject(new Error('Postgres was asked'))
    const templates = make({ isRemote: false, db: createDb({ query: query as never }), store: undefined })
    expect(await templates.resolve({ ...ask(name), jobId: 1 })).toMatchObject({ source: 'local', version: '1.0.0' })
    const next = await templates.resolve(ask(name, '2.0.0-rc.1'))
    expect([next.version, next.artifacts['main_prompt']?.text]).toEqual(['2.0.0-rc.1', 'Next.'])
    expect(await templates.resolve(ask(name, '9.9.9'))).toMatchObject({ version: '1.0.0', source: 'local' })
    expect(proofs().map(({ source, asked, version }) => [source, asked, version])).toEqual([
      ['local', 'default', '1.0.0'],
      ['local', '2.0.0-rc.1', '2.0.0-rc.1'],
      ['local', '9.9.9', '1.0.0'],
    ])
    expect(proofs().map(({ level }) => level)).toEqual([30, 30, 40])
    expect(proofs()[2]?.['reasons']).toEqual(['bundle: its default version 1.0.0 is used instead of 9.9.9'])
    // A property of every object.
    expect((await templates.resolve(ask(name, 'constructor'))).version).toBe('1.0.0')
  })

  test('a template without a bundle fails with its reason', async () => {
    await expect(make({ isRemote: false }).resolve(ask('nowhere'))).rejects.toThrow(
      'Template nowhere@default could not be resolved: bundle: this template has no bundle',
    )
    expect(proofs()).toMatchObject([{ level: 50, msg: '[PROOF] Template was not resolved' }])
  })
})

test('a broken bundle does not affect the others, and the error of its own template names it', async () => {
  const broken = write(bundled, { '1.0.0': texts })
  writeFileSync(join(bundled, broken, 'manifest.json'), '{"template": "x", "default_version": "2.0.0", "versions": {}}')
  const name = write(bundled, { '1.0.0': texts })
  const templates = make({ isRemote: false })
  expect((await templates.resolve(ask(name))).source).toBe('local')
  await expect(templates.resolve(ask(broken))).rejects.toThrow(
    /this template has no bundle; Invalid manifest .+ must be one of the versions/,
  )
})

describe('the fallback', () => {
  test.each(['refuse', 'reset', 'hang', 'error', 'truncate'] as const)(
    "uses all texts of the bundle's default version if the store fails (%s) and the version is not bundled",
    async (fault) => {
      const name = write(authored, { '2.0.0': { ...texts, main_prompt: 'Two.' } })
      write(bundled, { '1.0.0': texts }, name)
      await upload(name, '2.0.0', true)
      faultyStore.fail(fault, { method: 'GET' })
      const got = await make().resolve(ask(name))
      expect(got).toMatchObject({ source: 'filesystem', version: '1.0.0', versionId: null })
      expect(Object.values(got.artifacts).map(({ source }) => source)).toEqual(Array(3).fill('filesystem'))
      expect(proofs()).toMatchObject([{ asked: 'default', version: '1.0.0', source: 'filesystem' }])
      expect(String(proofs()[0]?.['reasons'])).toMatch(
        /storage of main_prompt_en@2\.0\.0: .+the bundle does not have it/,
      )
      expect(readdirSync(join(home), { recursive: true }).filter((one) => String(one).endsWith('.part'))).toEqual([])
    },
  )

  test('never mixes texts of two versions, even if the store fails for one file of several', async () => {
    const name = write(authored, { '2.0.0': { ...texts, main_prompt: 'Two.' } })
    write(bundled, { '1.0.0': texts }, name)
    await upload(name, '2.0.0', true)
    faultyStore.fail('error', { method: 'GET', key: 'example.md' })
    const got = await make().resolve(ask(name))
    expect([got.version, got.artifacts['main_prompt']?.text]).toEqual(['1.0.0', texts.main_prompt])
  })

  test('uses expired cache entries if the store fails, because versions do not change', async () => {
    const name = write(authored, { '1.0.0': texts })
    await upload(name, '1.0.0', true)
    await make().resolve(ask(name))
    const old = make({ cache: cache(0) })
    expect((await old.resolve(ask(name))).source).toBe('remote')
    faultyStore.fail('refuse')
    expect(await old.resolve(ask(name))).toMatchObject({ source: 'cache', version: '1.0.0' })
  })

  test.each([
    ['it is down', () => faultyDatabase.down()],
    ['the connection breaks before the call', () => faultyDatabase.breakAt('worker.template_manifest', 'before')],
    ['the connection breaks after the call', () => faultyDatabase.breakAt('worker.template_manifest', 'after')],
  ])('uses the bundle if Postgres fails: %s', async (_how, fail) => {
    const name = write(authored, { '2.0.0': { ...texts, main_prompt: 'Two.' } })
    write(bundled, { '1.0.0': texts }, name)
    await upload(name, '2.0.0', true)
    fail()
    const got = await make().resolve({ ...ask(name), jobId: 1 })
    expect(got).toMatchObject({ source: 'local', version: '1.0.0', versionId: null })
    expect(String(proofs()[0]?.['reasons'])).toMatch(/^Postgres: worker\.template_manifest failed/)
  })

  test('uses the bundle if Postgres hangs, also for a job', async () => {
    const name = write(authored, { '1.0.0': texts })
    write(bundled, { '1.0.0': texts }, name)
    await upload(name, '1.0.0', true)
    await operator.query('begin')
    await operator.query('lock table templates in access exclusive mode')
    const stopping = new AbortController()
    const stopped = make().resolve({ ...ask(name), jobId: 1, signal: stopping.signal })
    // Aborted while it records the use.
    setTimeout(() => stopping.abort(new Error('Enough.')), 3300)
    const got = await Promise.all([
      make().resolve(ask(name)),
      make().resolve({ ...ask(name), jobId: 1 }),
      expect(stopped).rejects.toThrow('Enough.'),
    ]).finally(() => operator.query('rollback'))
    expect(got.slice(0, 2)).toMatchObject([{ source: 'local' }, { source: 'local' }])
    expect(proofs().map(({ msg }) => msg)).toEqual([
      '[PROOF] Template was resolved',
      '[PROOF] Template was not resolved',
      '[PROOF] Template was resolved',
    ])
    expect(String(proofs()[0]?.['reasons'])).toContain('Postgres: no answer within 3 s')
    expect(lines.find(({ msg }) => msg === 'Template use was not recorded')).toMatchObject({
      reason: 'no answer within 1 s',
    })
  })

  test('asks a store that has not answered only after a pause, so that no other resolution waits for it', async () => {
    const name = write(authored, { '1.0.0': texts })
    write(bundled, { '1.0.0': texts }, name)
    await upload(name, '1.0.0', true)
    const templates = make({ cache: cache(0) })
    await templates.resolve(ask(name))
    faultyStore.fail('hang', { method: 'GET' })
    expect((await templates.resolve(ask(name))).source).toBe('cache')
    const asked = faultyStore.requests('GET')
    expect((await templates.resolve(ask(name))).source).toBe('cache')
    rmSync(join(home, 'cache'), { recursive: true })
    expect((await templates.resolve(ask(name))).source).toBe('filesystem')
    expect(faultyStore.requests('GET')).toBe(asked)
    expect(String(proofs().at(-1)?.['reasons'])).toContain('did not answer some seconds ago')
  })

  test.each([200, 403, 404, 503])('does not collect an endless answer of the store with status %d', async (status) => {
    const name = write(authored, { '1.0.0': texts })
    write(bundled, { '1.0.0': texts }, name)
    await upload(name, '1.0.0', true)
    let sent = 0
    const chunk = Buffer.alloc(65_536, 'a')
    const server = createServer((request, response) => {
      request.resume()
      response.writeHead(status, { 'content-type': 'application/xml' })
      const pump = () => {
        for (let fits = true; fits && !response.destroyed && sent < 1e9; sent += chunk.length)
          fits = response.write(chunk)
      }
      response.on('drain', pump)
      pump()
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const endless = createSpaces(spacesConfig((server.address() as AddressInfo).port, templateBucket))
    const got = await make({ store: endless }).resolve(ask(name))
    endless.close()
    server.closeAllConnections()
    server.close()
    expect(got.source).toBe('filesystem')
    expect(String(proofs()[0]?.['reasons'])).toMatch(/has more than \d+ bytes/)
    // Three files, each requested twice at most. Sockets buffer up to 10 MB more per request; without the limit it would be 1 GB.
    expect(sent).toBeLessThan(300_000_000)
  })

  test('refuses a language in which a version lacks texts', async () => {
    const name = write(authored, { '1.0.0': texts })
    write(bundled, { '1.0.0': texts }, name)
    await upload(name, '1.0.0', true)
    await expect(make().resolve({ ...ask(name), locale: 'fr' })).rejects.toThrow(
      /Postgres: .+ Version 1\.0\.0 has no texts in locale "fr"\.; bundle: version 1\.0\.0 has no main_prompt in fr/,
    )
  })

  test('ends in an error that names each source and its failure if all sources fail', async () => {
    const name = write(authored, { '1.0.0': texts })
    await upload(name, '1.0.0', true)
    faultyStore.fail('error', { method: 'GET' })
    const failure = await make()
      .resolve(ask(name))
      .catch((error: Error) => error)
    expect(String(failure)).toMatch(
      /could not be resolved: cache of \S+: it is missing;.*storage of \S+: .+; bundled file of \S+: this template has no bundle;.*; bundle: this template has no bundle/,
    )
    expect(proofs()).toHaveLength(1)
    faultyDatabase.down()
    await expect(make().resolve(ask(name))).rejects.toThrow(/Postgres: .+; bundle: this template has no bundle/)
  })

  test('refuses an invalid name before it is part of any path', async () => {
    for (const template of ['../../etc', 'a/b', '', 'A', `x${'x'.repeat(80)}`]) {
      await expect(make().resolve(ask(template))).rejects.toThrow()
    }
    for (const version of ['../1.0.0', '1.0', '01.0.0', '1.0.0/..', 'a b']) {
      await expect(make().resolve(ask('drama', version))).rejects.toThrow()
    }
    expect(proofs().map(({ msg }) => msg)).toEqual(Array(10).fill('[PROOF] Template was not resolved'))
    await expect(make().resolve({ template: 'drama', locale: '../en' as never })).rejects.toThrow()
  })
})

describe('integrity', () => {
  test.each([
    ['a byte changed', (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replace('Write', 'write'))],
    ['cut short', (path: string) => writeFileSync(path, readFileSync(path).subarray(0, -3))],
    ['empty', (path: string) => writeFileSync(path, '')],
    ['something else', (path: string) => writeFileSync(path, Buffer.from([0, 255, 10, 0]))],
    [
      'a folder',
      (path: string) => {
        rmSync(path)
        mkdirSync(join(path, 'deep'), { recursive: true })
      },
    ],
    [
      'a pipe',
      (path: string) => {
        rmSync(path)
        execFileSync('mkfifo', [path])
      },
    ],
    [
      'a link',
      (path: string) => {
        rmSync(path)
        symlinkSync('/etc/hostname', path)
      },
    ],
    ['huge', (path: string) => truncateSync(path, 1_900_000_000)],
    [
      'another text with its own hash',
      (path: string) => {
        const first = { sha256: hash(Buffer.from('Forged.')), fetched_at: new Date().toISOString() }
        writeFileSync(path, `${JSON.stringify(first)}\nForged.`)
      },
    ],
  ])('a cached file that is %s is dropped and downloaded again', async (_what, harm) => {
    const name = write(authored, { '1.0.0': texts })
    await upload(name, '1.0.0', true)
    const templates = make()
    await templates.resolve(ask(name))
    harm(cached(name, '1.0.0', 'main_prompt'))
    lines = []
    const got = await templates.resolve(ask(name))
    expect(got).toMatchObject({ source: 'remote' })
    expect(got.artifacts['main_prompt']).toMatchObject({ text: texts.main_prompt, source: 'remote' })
    expect(got.artifacts['example']).toMatchObject({ source: 'cache' })
    expect(lines.filter(({ msg }) => msg === 'Cached artifact was dropped')).toHaveLength(1)
    expect((await templates.resolve(ask(name))).source).toBe('cache')
  })

  test('an object that was changed in the store gives way to the bundled file of the same version', async () => {
    const name = write(authored, { '1.0.0': texts })
    write(bundled, { '1.0.0': texts }, name)
    await upload(name, '1.0.0', true)
    faultyStore.fail('corrupt', { method: 'GET', key: 'main_prompt' })
    const got = await make().resolve(ask(name))
    expect(got.artifacts['main_prompt']).toMatchObject({ text: texts.main_prompt, source: 'filesystem' })
    expect(got).toMatchObject({ source: 'filesystem', version: '1.0.0' })
    expect(lines.filter(({ msg }) => msg === 'Downloaded artifact did not match its hash')).toHaveLength(2)
    expect(readdirSync(join(home, 'cache', name, '1.0.0')).sort()).toEqual(['config_all', 'example_en'])
  })

  test('a download with wrong bytes is repeated once', async () => {
    const name = write(authored, { '1.0.0': texts })
    await upload(name, '1.0.0', true)
    faultyStore.fail('corrupt', { method: 'GET', times: 1 })
    expect((await make().resolve(ask(name))).source).toBe('remote')
    faultyStore.fail('truncate', { method: 'GET', times: 1 })
    rmSync(join(home, 'cache'), { recursive: true })
    expect((await make().resolve(ask(name))).source).toBe('remote')
  })

  test.each(['truncate', 'corrupt'] as const)(
    'a download with wrong bytes (%s) does not pause downloads of other files',
    async (fault) => {
      const name = write(authored, { '1.0.0': texts })
      const other = write(authored, { '1.0.0': texts })
      await upload(name, '1.0.0', true)
      await upload(other, '1.0.0', true)
      const templates = make()
      faultyStore.fail(fault, { method: 'GET', key: 'main_prompt' })
      await expect(templates.resolve(ask(name))).rejects.toThrow(/storage of main_prompt_en@1\.0\.0/)
      faultyStore.heal()
      expect((await templates.resolve(ask(other))).source).toBe('remote')
    },
  )

  test('an object that has grown is not read to its end', async () => {
    const name = write(authored, { '1.0.0': texts })
    await upload(name, '1.0.0', true)
    const bytes = Buffer.alloc(5_000_000, 120)
    const { Readable } = await import('node:stream')
    await store.templates.put({
      key: `${name}/v1.0.0/main_prompt.md`,
      open: () => Readable.from(bytes, { objectMode: false }),
      length: bytes.length,
      contentType: 'text/markdown',
      cacheControl: 'private',
      isPrivate: true,
    })
    await expect(make().resolve(ask(name))).rejects.toThrow('it has more than')
    expect(lines.map(({ msg }) => msg)).toContain('Downloaded artifact did not match its hash')
  })

  test('a bundled file that differs from the published one is not used as the published version', async () => {
    const name = write(authored, { '1.0.0': texts })
    write(bundled, { '0.9.0': { ...texts, main_prompt: 'Old.' }, '1.0.0': { ...texts, main_prompt: 'Edited.' } }, name)
    await upload(name, '1.0.0', true)
    faultyStore.fail('refuse')
    const got = await make().resolve(ask(name))
    expect([got.version, got.artifacts['main_prompt']?.text]).toEqual(['0.9.0', 'Old.'])
    expect(lines.map(({ msg }) => msg)).toContain('Bundled artifact did not match the published hash')
    expect(proofs()).toMatchObject([{ asked: 'default', named: '1.0.0', version: '0.9.0' }])
  })

  test('a bundled file that differs is the last resort, and is not recorded as the published version', async () => {
    const name = write(authored, { '1.0.0': texts })
    write(bundled, { '1.0.0': { ...texts, main_prompt: 'Edited.' } }, name)
    await upload(name, '1.0.0', true)
    faultyStore.fail('refuse')
    const got = await make().resolve({ ...ask(name), jobId: await someJob() })
    expect([got.version, got.versionId, got.artifacts['main_prompt']?.text]).toEqual(['1.0.0', null, 'Edited.'])
    expect(proofs()[0]?.['reasons']).toContain('bundle: its own 1.0.0, which differs from the published one, is used')
    const used = 'select from app.template_uses as u join templates as t on t.id = u.template_id where t.name = $1'
    expect((await operator.query(used, [name])).rowCount).toBe(0)
  })
})

describe('the cache', () => {
  test('has its entries at {template}/{version}/{kind}_{locale}, readable only by the owner', async () => {
    const name = write(authored, { '1.0.0': texts })
    await upload(name, '1.0.0', true)
    await make().resolve(ask(name))
    expect(readdirSync(join(home, 'cache', name, '1.0.0')).sort()).toEqual([
      'config_all',
      'example_en',
      'main_prompt_en',
    ])
    const [first = ''] = readFileSync(cached(name, '1.0.0', 'main_prompt'), 'utf8').split('\n')
    expect(JSON.parse(first)).toEqual({ sha256: hash(Buffer.from(texts.main_prompt)), fetched_at: expect.any(String) })
    expect(statSync(cached(name, '1.0.0', 'main_prompt')).mode & 0o077).toBe(0)
  })

  test('costs a download each time if it cannot be written, but no resolution fails', async () => {
    const name = write(authored, { '1.0.0': texts })
    await upload(name, '1.0.0', true)
    writeFileSync(join(home, 'cache'), 'in the way')
    expect((await make().resolve(ask(name))).source).toBe('remote')
    expect(lines.filter(({ msg }) => msg === 'Artifact was not cached')).toHaveLength(3)
    expect((await make().resolve(ask(name))).source).toBe('remote')
  })

  test.each([
    ['a file', (path: string) => writeFileSync(path, 'in the way')],
    ['a link to nowhere', (path: string) => symlinkSync('/nowhere/at/all', path)],
    ['a link to itself', (path: string) => symlinkSync(path, path)],
  ])('replaces %s in the place of its folder', async (_what, block) => {
    const name = write(authored, { '1.0.0': texts })
    await upload(name, '1.0.0', true)
    for (const path of [join(home, 'cache', name), join(home, 'cache', name, '1.0.0')]) {
      rmSync(join(home, 'cache'), { recursive: true, force: true })
      mkdirSync(dirname(path), { recursive: true })
      block(path)
      expect((await make().resolve(ask(name))).source).toBe('remote')
      expect((await make().resolve(ask(name))).source).toBe('cache')
    }
  })

  test('downloads each file once for many resolutions at once', async () => {
    const name = write(authored, { '1.0.0': texts })
    await upload(name, '1.0.0', true)
    const before = faultyStore.requests('GET')
    const templates = make()
    const all = await Promise.all(Array.from({ length: 50 }, () => templates.resolve(ask(name))))
    expect(faultyStore.requests('GET') - before).toBe(3)
    expect(new Set(all.map(({ artifacts }) => artifacts['main_prompt']?.text))).toEqual(new Set([texts.main_prompt]))
    expect(proofs()).toHaveLength(50)
  })

  test('can be filled by several processes at once, and all of them read whole files', async () => {
    const name = write(authored, { '1.0.0': { ...texts, big: 'x'.repeat(900_000) } })
    await upload(name, '1.0.0', true)
    const env = {
      ...systemEnv(),
      DATABASE_URL: database.url('worker'),
      ...spacesEnv(store.port),
      ...testTemplatesEnv(store.port),
      FEATURE_TEMPLATE_VERSION_REMOTE_STORAGE: 'true',
      LOG_LEVEL: 'warn',
      PLINTH_HOME: home,
    }
    const script = resolve(import.meta.dirname, '../../scripts/testing/resolve_template.ts')
    const outcomes = await Promise.all(
      Array.from({ length: 4 }, () =>
        promisify(execFile)(process.execPath, [script, name, 'default', '20'], { env, maxBuffer: 2 ** 24 }),
      ),
    )
    const results = outcomes.flatMap(({ stdout }) => JSON.parse(stdout.trim().split('\n').at(-1) ?? '[]'))
    expect(results).toHaveLength(80)
    expect(new Set(results.map(({ hashes }) => hashes.big))).toEqual(new Set([hash(Buffer.from('x'.repeat(900_000)))]))
    const folder = join(home, 'cache/template-artifacts', name, '1.0.0')
    expect(readdirSync(folder).sort()).toEqual(['big_en', 'config_all', 'example_en', 'main_prompt_en'])
    faultyStore.fail('refuse')
    const afterwards = make({ cache: createCache(join(home, 'cache/template-artifacts'), { ttlMs: 86_400_000 }) })
    expect((await afterwards.resolve(ask(name))).source).toBe('cache')
  })

  test('deletes the parts that a crash left, and entries that are more than a month old', async () => {
    const name = write(authored, { '1.0.0': texts })
    await upload(name, '1.0.0', true)
    await make().resolve(ask(name))
    const { utimesSync } = await import('node:fs')
    const part = `${cached(name, '1.0.0', 'example')}.x.part`
    writeFileSync(part, 'half')
    expect(await cache().tidy()).toBe(0)
    utimesSync(part, Date.now() / 1000 - 4000, Date.now() / 1000 - 4000)
    utimesSync(cached(name, '1.0.0', 'example'), 1, 1)
    expect(await cache().tidy()).toBe(2)
    expect(readdirSync(join(home, 'cache', name, '1.0.0')).sort()).toEqual(['config_all', 'main_prompt_en'])
    expect(await createCache(join(home, 'nowhere'), { ttlMs: 1 }).tidy()).toBe(0)
  })
})

describe('a job', () => {
  test('has the version recorded whose texts it used', async () => {
    const name = write(authored, { '1.0.0': texts, '1.1.0': { ...texts, main_prompt: 'Newer.' } })
    write(bundled, { '1.0.0': texts }, name)
    await upload(name, '1.0.0')
    await upload(name, '1.1.0', true)
    const jobId = await someJob()
    const used = async () =>
      (
        await operator.query(
          'select v.semver from app.template_uses as u join template_versions as v on v.id = u.template_version_id where job_id = $1',
          [jobId],
        )
      ).rows
    await make().resolve({ ...ask(name), jobId })
    expect(await used()).toEqual([{ semver: '1.1.0' }])
    rmSync(join(home, 'cache'), { recursive: true })
    faultyStore.fail('refuse')
    expect((await make().resolve({ ...ask(name), jobId })).version).toBe('1.0.0')
    expect(await used()).toEqual([{ semver: '1.0.0' }])
  })

  test('has no version recorded that it did not get, even if Postgres answers late', async () => {
    const name = write(authored, { '2.0.0': texts })
    write(bundled, { '1.0.0': texts }, name)
    await upload(name, '2.0.0', true)
    const jobId = await someJob()
    await operator.query('begin')
    await operator.query('lock table templates in access exclusive mode')
    const got = await make().resolve({ ...ask(name), jobId })
    await operator.query('rollback')
    await sleep(500)
    expect(got.version).toBe('1.0.0')
    expect((await operator.query('select 1 from app.template_uses where job_id = $1', [jobId])).rows).toEqual([])
  })

  test('gets no texts after its signal has aborted, without delay', async () => {
    const name = write(authored, { '1.0.0': texts })
    await upload(name, '1.0.0', true)
    const stopping = new AbortController()
    faultyStore.fail('hang', { method: 'GET' })
    // Gives the store its 3 s.
    const patient = make().resolve(ask(name))
    const resolving = make().resolve({ ...ask(name), signal: stopping.signal })
    setTimeout(() => stopping.abort(new Error('Enough.')), 50)
    await expect(resolving).rejects.toThrow('Enough.')
    expect(await Promise.race([patient, 'still asks'])).toBe('still asks')
    await patient.catch(() => {})
    await expect(make().resolve({ ...ask(name), signal: stopping.signal })).rejects.toThrow('Enough.')
  })
})
