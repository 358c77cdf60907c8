import type { TextFile } from './files.ts'
import { count, type Outcome } from './outcome.ts'
import { blank, lineAt } from './sql_text.ts'

/** The only file that may change the role, because it makes a request one of an API key's owner. */
const allowed = 'db/modules/00_base/become_key_owner.sql'

/**
 * Finds where SQL changes the role, and where it might: a set_config whose setting is not a literal could change any setting.
 * The rules test checks functions in the catalog; this check also sees SQL outside of functions.
 */
export function findRoleChanges({ path, text }: TextFile): { changes: string[]; problems: string[] } {
  const sql = blank(text, 'comments')
  const at = (match: RegExpMatchArray) => `${path}:${lineAt(sql, match.index ?? 0)}`
  const changes: string[] = []
  const problems: string[] = []
  for (const match of sql.matchAll(/\bset_config\b/gi)) {
    const setting = sql
      .slice(match.index)
      .match(/^set_config\s*\(\s*'([a-z_.]+)'\s*,/i)?.[1]
      ?.toLowerCase()
    if (setting === undefined) problems.push(`${at(match)}: set_config needs its setting written out`)
    else if (setting === 'role') changes.push(at(match))
    else if (setting === 'session_authorization') problems.push(`${at(match)}: sets session_authorization`)
  }
  for (const match of sql.matchAll(/\bset\s+(?:(?:local|session)\s+)?(?:role|session\s+authorization)\b/gi))
    problems.push(`${at(match)}: ${match[0].replace(/\s+/g, ' ')}`)
  return { changes, problems }
}

/** Checks that one file sets the role, in one place. */
export function checkRole(files: TextFile[]): Outcome {
  const found = files.map(findRoleChanges)
  const changes = found.flatMap((file) => file.changes)
  const isRight = changes.length === 1 && changes[0]?.startsWith(`${allowed}:`)
  return {
    said: `${count(changes.length, 'change')} of role in ${count(files.length, 'file')}`,
    problems: [
      ...(isRight ? [] : [`the role is set in ${changes.join(', ') || 'no file'} instead of once in ${allowed}`]),
      ...found.flatMap((file) => file.problems),
    ],
    remedy: `Only ${allowed} may set the role, because a caller who could choose it would become service_role.`,
  }
}
