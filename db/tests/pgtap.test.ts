import { glob, readFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import pg from 'pg'
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

/**
 * Runs a pgTAP file and returns its lines: every row whose only column is text, in order. An error names the test
 * before it, because Postgres names no position in the file.
 */
async function runTap(client: pg.Client, path: string): Promise<string[]> {
  const lines: string[] = []
  const query = client.query(new pg.Query(await readFile(path, 'utf8')))
  query.on('row', (row) => {
    const [value, ...others] = Object.values(row)
    if (typeof value === 'string' && others.length === 0) lines.push(value)
  })
  await new Promise<void>((done, fail) => {
    query.on('end', () => done())
    query.on('error', (cause) => {
      const { where } = cause as pg.DatabaseError
      const last = lines.findLast((line) => /^(not )?ok /.test(line)) ?? 'plan'
      fail(new Error(`${[cause.message, where].filter(Boolean).join('; ')}; the test before: ${last}`, { cause }))
    })
  })
  return lines
}
