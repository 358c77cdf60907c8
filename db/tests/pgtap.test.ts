import { glob, readFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { createDatabase } from '../../scripts/testing/database.ts'

const files = (await Array.fromAsync(glob('**/*.test.sql', { cwd: import.meta.dirname }))).sort()

test.concurrent.each(files)('%s', async (file) => {
  const database = await createDatabase({ withPgtap: true })
  try {
    const client = await database.connect()
    await client.query('set search_path = tests, public, extensions')
    const lines = await runTap(client, resolve(import.meta.dirname, file))
    const problems = lines.filter((line) => /^(not ok|#)/m.test(line))
    expect(problems.join('\n'), relative(process.cwd(), file)).toBe('')
    const planned = Number(lines[0]?.match(/^1\.\.(\d+)$/)?.[1])
    expect(planned).toBeGreaterThan(0)
    expect(lines.filter((line) => line.startsWith('ok '))).toHaveLength(planned)
  } finally {
    await database.drop()
  }
})

/** Runs a pgTAP file and returns what it says: every row whose only column is text, in order. */
async function runTap(client: import('pg').Client, path: string): Promise<string[]> {
  const results = (await client.query(await readFile(path, 'utf8'))) as unknown
  const list = (Array.isArray(results) ? results : [results]) as import('pg').QueryResult[]
  return list.flatMap((result) =>
    result.fields.length === 1
      ? result.rows.map((row) => Object.values(row)[0]).filter((value) => typeof value === 'string')
      : [],
  )
}
