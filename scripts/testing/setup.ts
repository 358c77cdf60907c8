import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { makeTemplates, startCluster } from './cluster.ts'

/** Vitest's global set-up: one Postgres for the whole run. Each test file creates its databases from the templates. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // The tests start hundreds of Node processes: with this cache, each needs half of the time to load its files.
  const cache = process.env['NODE_COMPILE_CACHE'] ? undefined : mkdtempSync(join(tmpdir(), 'plinth-compiled-'))
  if (cache) process.env['NODE_COMPILE_CACHE'] = cache
  const cluster = await startCluster({ withPgCron: process.env['PLINTH_TEST_PG_CRON'] === 'on' })
  await makeTemplates(cluster)
  project.provide('cluster', { home: cluster.home, port: cluster.port, secrets: cluster.secrets })
  return async () => {
    await cluster.stop()
    if (cache) rmSync(cache, { recursive: true, force: true })
  }
}

declare module 'vitest' {
  interface ProvidedContext {
    cluster: import('./cluster.ts').ClusterInfo
  }
}
