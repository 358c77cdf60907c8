import type pg from 'pg'
import { createDb } from '../../worker/shared/db.ts'
import { findBundle, planVersion, publish, readTemplatesConfig, requireTemplateStore } from '../templates/publish.ts'
import type { Artifact } from './story.ts'

/** Does the operator's work before the story: publishes a template. */
export async function prepareStack(
  operator: pg.Client,
  templatesEnv: Record<string, string>,
): Promise<[Artifact, Artifact]> {
  const store = requireTemplateStore(readTemplatesConfig(templatesEnv as NodeJS.ProcessEnv))
  try {
    const plan = await planVersion(await findBundle('drama'), '1.0.0')
    await publish({ db: createDb(operator as unknown as pg.Pool), store }, plan, { setDefault: true })
  } finally {
    store.close()
  }
  const {
    rows: [first, second],
  } = await operator.query<Artifact>('select storage_path as path, sha256 from artifacts order by path limit 2')
  if (!first || !second) throw new Error('The published template has fewer than two artifacts.')
  return [first, second]
}
