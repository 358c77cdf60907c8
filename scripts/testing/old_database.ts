import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { type ClusterInfo, databaseUrl, prepareDatabase } from './cluster.ts'

const upgradeFolder = resolve(import.meta.dirname, '../../db/tests/upgrade')

/** Unpacks the archive of a release into a temporary folder, passes its `db` folder to `work`, and removes it. */
export async function withRelease<T>(release: string, work: (folder: string) => Promise<T>): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), `plinth-${release}-`))
  try {
    await promisify(execFile)('tar', ['-xzf', join(upgradeFolder, `${release}.tar.gz`), '-C', home])
    return await work(join(home, 'db'))
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** Creates a database of a release: its migrations, modules and seed data, with rows of every kind and state. */
export async function prepareOldDatabase(cluster: ClusterInfo, name: string, release = 'c5e8e03'): Promise<void> {
  await withRelease(release, (folder) => prepareDatabase(cluster, name, folder))
  const client = new pg.Client(databaseUrl(cluster, name))
  await client.connect()
  try {
    await client.query(await readFile(join(upgradeFolder, `${release}.sql`), 'utf8'))
  } finally {
    await client.end()
  }
}
