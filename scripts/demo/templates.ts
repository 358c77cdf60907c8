import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { pino } from 'pino'
import { createDb } from '../../worker/shared/db.ts'
import { createCache } from '../../worker/templates/cache.ts'
import { createTemplates, render } from '../../worker/templates/resolver.ts'
import { findBundle, planVersion, publish, readTemplatesConfig, requireTemplateStore } from '../templates/publish.ts'
import { must, type Stage, timed } from './act.ts'

/** Publishes the bundle of dramas, and resolves it like a job: from the store, from the cache, and without either. */
export async function resolveTemplates({ env, step }: Stage): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-demo-'))
  const operator = new pg.Client({ connectionString: env['DATABASE_URL'] })
  await operator.connect()
  const pool = new pg.Pool({ connectionString: env['WORKER_DATABASE_URL'] })
  const store = requireTemplateStore(readTemplatesConfig({ ...env }))
  const proofs: string[] = []
  const make = (isRemote: boolean, cacheFolder = folder) =>
    createTemplates({
      isRemote,
      db: createDb(pool),
      store: isRemote ? store : undefined,
      cache: createCache(cacheFolder, { ttlMs: 60_000 }),
      logger: pino({}, { write: (line: string) => void proofs.push(line) }),
    })
  try {
    const plan = await planVersion(await findBundle('drama'), '1.0.0')
    const db = createDb(operator as unknown as pg.Pool)
    const published = await timed(() => publish({ db, store }, plan, { setDefault: true }))
    step(`The operator publishes drama 1.0.0, as default: ${plan.files.length} files, each read back`, published.ms)
    const again = await timed(() => publish({ db, store }, plan, { setDefault: true }))
    must(!again.value.is_new, 'the same version was published twice')
    step('The same version again: nothing to do', again.ms)

    const request = { template: 'drama', version: '1.0.0', locale: 'en', key: 'ana' } as const
    const templates = make(true)
    const first = await timed(() => templates.resolve(request))
    must(first.value.source === 'remote', `the first came from ${first.value.source}`)
    step('A job resolves the template: from the store, every SHA-256 verified', first.ms)
    const second = await timed(() => templates.resolve(request))
    must(second.value.source === 'cache', `the second came from ${second.value.source}`)
    step('The next job: from the cache, verified again', second.ms)
    const third = await timed(() => make(false).resolve(request))
    must(third.value.source === 'local', `the third came from ${third.value.source}`)
    step('A job without Postgres and store: from the bundle', third.ms)
    must(proofs.filter((line) => line.includes('[PROOF]')).length === 3, 'a resolution left no proof in the log')
    const prompt = render(second.value.artifacts['outline_prompt']?.text ?? '', {
      premise: 'Two sisters, one lighthouse.',
      character_count: 3,
      episode_count: 2,
      language: 'English',
    })
    step(
      `  → ${prompt
        .split('\n')
        .find((line) => line.startsWith('You are'))
        ?.slice(0, 68)} …`,
    )
  } finally {
    store.close()
    await pool.end()
    await operator.end()
    rmSync(folder, { recursive: true, force: true })
  }
}
