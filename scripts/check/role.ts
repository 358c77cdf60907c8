import type { TextFile } from './files.ts'
import { count, type Outcome } from './outcome.ts'
import { blank, lineAt } from './sql_text.ts'

/** The one file that may change the role, which takes on an API key's owner. */
const allowed = 'db/modules/00_base/pre_request.sql'

/**
 * Where SQL changes the role, and where it might: a set_config whose setting is not written out could be given any.
 * The rules test asks the catalog the same about functions; this sees what runs outside of them, too.
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

/** The role is set in one place of all that Plinth installs. */
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
    remedy: `Only ${allowed} sets the role: whoever can choose it is service_role.`,
  }
}
