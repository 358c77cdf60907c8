import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../scripts/local/ports.ts'
import { type Child, startChild, systemEnv } from '../../scripts/local/process.ts'
import { spacesEnv } from '../../scripts/local/services.ts'
import { findBundle, planVersion, publish } from '../../scripts/templates/publish.ts'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { testTypes } from '../../scripts/testing/handlers.ts'
import { startTestStore, type TestStore, testTemplatesEnv } from '../../scripts/testing/store.ts'
import { createDb } from '../shared/db.ts'
import { bundlesFolder } from './manifest.ts'

// A real worker process whose steps fill in prompts, while versions are published, tried as a canary and rolled back.
let database: TestDatabase
let client: pg.Client
let store: TestStore
let home: string
let worker: Child

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
  await client.query(testTypes)
  store = await startTestStore()
  home = mkdtempSync(join(tmpdir(), 'plinth-handler-'))
  worker = startChild(
    home,
    'worker',
    process.execPath,
    [join(import.meta.dirname, '../../scripts/testing/worker.ts')],
    {
      env: {
        ...systemEnv(),
        DATABASE_URL: database.url('worker'),
        WORKER_HEALTH_PORT: String(await freePort()),
        ...spacesEnv(store.port),
        ...testTemplatesEnv(store.port),
        FEATURE_TEMPLATE_VERSION_REMOTE_STORAGE: 'true',
        PLINTH_HOME: home,
      },
    },
  )
})
afterAll(async () => {
  await worker.stop('SIGTERM', 6000)
  await store.stop()
  await database.drop()
  rmSync(home, { recursive: true, force: true })
})

/** Publishes drama under this version; its outline prompt begins with the version. */
async function publishDrama(version: string): Promise<void> {
  const root = join(home, version)
  cpSync(join(bundlesFolder, 'drama'), join(root, 'drama'), { recursive: true })
  if (version !== '1.0.0') cpSync(join(root, 'drama/v1.0.0'), join(root, `drama/v${version}`), { recursive: true })
  const manifest = JSON.parse(readFileSync(join(root, 'drama/manifest.json'), 'utf8'))
  manifest.versions[version] = manifest.versions['1.0.0']
  writeFileSync(join(root, 'drama/manifest.json'), JSON.stringify(manifest))
  if (version !== '1.0.0')
    writeFileSync(join(root, `drama/v${version}/outline_prompt.en.md`), `${version}: {{premise}}`)
  const connection = await database.connect()
  const db = createDb(connection as unknown as pg.Pool)
  await publish({ db, store: store.templates }, await planVersion(await findBundle('drama', root), version), {
    setDefault: version === '1.0.0',
  })
}

/** Runs steps, each in its own run, and returns their outputs. */
async function runSteps(count: number): Promise<{ version: string; source: string; prompt: string }[]> {
  const { rows } = await client.query(
    `select array_agg(app.submit_run('{"key": "r", "type": "prompt", "input": {"premise": "A door."}}', null, null)) as ids
     from generate_series(1, $1)`,
    [count],
  )
  const [{ ids }] = rows
  for (let n = 0; n < 2000; n++) {
    const { rows: done } = await client.query("select output from jobs where id = any ($1) and status = 'completed'", [
      ids,
    ])
    if (done.length === count) return done.map(({ output }) => output)
    await sleep(50)
  }
  throw new Error(`The steps did not end: ${readFileSync(worker.log, 'utf8').slice(-2000)}`)
}

test('a step gets the bundled prompts, then the published ones, a canary for some owners, and the older ones after a rollback', async () => {
  expect(await runSteps(1)).toMatchObject([{ version: '1.0.0', source: 'local' }])
  await publishDrama('1.0.0')
  expect(await runSteps(1)).toMatchObject([{ version: '1.0.0', source: 'remote' }])
  const [first] = await runSteps(1)
  expect(first).toMatchObject({ version: '1.0.0', source: 'cache', prompt: expect.stringContaining('A door.') })

  await publishDrama('1.1.0')
  expect((await runSteps(1))[0]?.version).toBe('1.0.0')
  await client.query(`select set_template_channel('drama', 'default', '{"1.1.0": 50}')`)
  const halves = await runSteps(60)
  const newer = halves.filter(({ version }) => version === '1.1.0')
  expect(newer.length).toBeGreaterThan(10)
  expect(newer.length).toBeLessThan(50)
  expect(new Set(newer.map(({ prompt }) => prompt))).toEqual(new Set(['1.1.0: A door.']))

  const { rows } = await client.query(
    'select version, runs::int, completed::int, failures::int, input_tokens::int, latency_p50_ms is not null as has_latency from ops.template_versions_compared order by version',
  )
  expect(rows).toEqual([
    {
      version: '1.0.0',
      runs: 63 - newer.length,
      completed: 63 - newer.length,
      failures: 0,
      input_tokens: expect.any(Number),
      has_latency: true,
    },
    {
      version: '1.1.0',
      runs: newer.length,
      completed: newer.length,
      failures: 0,
      input_tokens: newer.length * '1.1.0: A door.'.length,
      has_latency: true,
    },
  ])

  await client.query(`select set_default_version('drama', '1.0.0')`)
  expect(new Set((await runSteps(20)).map(({ version }) => version))).toEqual(new Set(['1.0.0']))
  const proofs = readFileSync(worker.log, 'utf8')
    .split('\n')
    .filter((line) => line.includes('[PROOF]'))
  expect(proofs).toHaveLength(84)
})
