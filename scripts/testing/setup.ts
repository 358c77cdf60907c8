import type { TestProject } from 'vitest/node'
import { makeTemplates, startCluster } from './cluster.ts'

/** Vitest's global set-up: one Postgres for the whole run. Each test file creates its databases from the templates. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await startCluster({ withPgCron: process.env['PLINTH_TEST_PG_CRON'] === 'on' })
  await makeTemplates(cluster)
  project.provide('cluster', { home: cluster.home, port: cluster.port, secrets: cluster.secrets })
  return cluster.stop
}

declare module 'vitest' {
  interface ProvidedContext {
    cluster: import('./cluster.ts').ClusterInfo
  }
}
