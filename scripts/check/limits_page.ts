import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { drawLimits } from '../docs/limits_page.ts'
import { count, type Outcome } from './outcome.ts'

const path = 'docs/guide/limits.md'

/** Checks that docs/guide/limits.md lists the limits of this database, each with whom it limits and what happens beyond. */
export async function checkLimitsPage(client: pg.Client, root: string, write: boolean): Promise<Outcome> {
  const { text, problems } = await drawLimits(client)
  const slugs = new Set(
    [...readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^\| `(\w+)` \|/gm)].map(([, slug]) => slug),
  )
  const unknown = [...text.matchAll(/\| (?:\d{3}|the step fails with) `(\w+)` \|/g)]
    .map(([, slug]) => slug)
    .filter((slug) => !slugs.has(slug))
    .map((slug) => `slug ${slug}, which a comment names, is not in docs/errors.md`)
  if (write) writeFileSync(join(root, path), text)
  const isCurrent = readPage(root) === text
  return {
    said: `${count(text.match(/^\| /gm)?.length ?? 0, 'line')} of ${path}, against the database${write ? '; written' : ''}`,
    problems: [...problems, ...unknown, ...(isCurrent ? [] : [`${path} is not current`])],
    remedy:
      'End the comment with "Limit per <whom>: <status> <slug>.", or list what limits nobody in scripts/docs/limits_page.ts; then npm run db:check -- --write.',
  }
}

function readPage(root: string): string {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return ''
  }
}
