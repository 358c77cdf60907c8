import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { drawApi } from '../docs/api_page.ts'
import { count, type Outcome } from './outcome.ts'

export const apiPath = 'docs/api.md'

/** Checks that docs/api.md describes the functions and tables of this database; `shouldWrite` writes the page. */
export async function checkApiPage(client: pg.Client, root: string, shouldWrite: boolean): Promise<Outcome> {
  const { text, problems } = await drawApi(client)
  const path = join(root, apiPath)
  const isCurrent = (await readFile(path, 'utf8').catch(() => '')) === text
  if (shouldWrite) await writeFile(path, text)
  const sections = count(text.match(/^### /gm)?.length ?? 0, 'section')
  return {
    said: `${sections} of ${apiPath}, against the database${shouldWrite && !isCurrent ? '; written again' : ''}`,
    problems: [...problems, ...(isCurrent || shouldWrite ? [] : [`${apiPath} is not current`])],
    remedy: 'npm run db:check -- --write writes the page; its texts are the comments of functions, tables and columns.',
  }
}
