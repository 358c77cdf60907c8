import { glob, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { blank, lineAt } from './sql_text.ts'

/** A file: its path from the project's root, and its text. */
export type TextFile = { path: string; text: string }

/** Reads the files that match; a name without a pattern need not exist. */
export async function readFiles(root: string, patterns: string[]): Promise<TextFile[]> {
  const paths: string[] = []
  for await (const path of glob(patterns, { cwd: root })) paths.push(path)
  paths.sort()
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(root, path), 'utf8') })))
}

/** The first line of a new migration, to be replaced by the reason. */
export const migrationPlaceholder = '-- TODO: say in a sentence what this changes, and why.'

/** An object that a module file creates, by its name in the catalog: `trigger _100_seal on public.flows`. */
export type Created = { object: string; path: string; line: number }

const identifier = '(?:[a-z_][a-z0-9_$]*|"[^"]+")'
const qualified = String.raw`${identifier}\s*\.\s*${identifier}`
const routine = new RegExp(
  String.raw`\bcreate\s+(?:or\s+replace\s+)?(?:function|procedure|aggregate)\s+(${qualified})`,
  'gi',
)
const view = new RegExp(String.raw`\bcreate\s+(?:or\s+replace\s+)?view\s+(${qualified})`, 'gi')
const policy = new RegExp(String.raw`\bcreate\s+policy\s+(${identifier})\s+on\s+(${qualified})`, 'gi')
const trigger = new RegExp(
  String.raw`\bcreate\s+(?:or\s+replace\s+)?(?:constraint\s+)?trigger\s+(${identifier})\s[^;]*?\son\s+(${qualified})`,
  'gi',
)

/** The functions, views, policies and triggers that a module file creates. */
export function findCreated({ path, text }: TextFile): Created[] {
  const sql = blank(text, 'comments and quotes')
  const found = (pattern: RegExp, toObject: (...parts: string[]) => string) =>
    [...sql.matchAll(pattern)].map((match) => ({
      object: toObject(...match.slice(1).map(plain)),
      path,
      line: lineAt(sql, match.index),
    }))
  return [
    ...found(routine, (of) => `function ${of}`),
    ...found(view, (of) => `view ${of}`),
    ...found(policy, (of, on) => `policy ${of} on ${on}`),
    ...found(trigger, (of, on) => `trigger ${of} on ${on}`),
  ]
}

/** The longest line of SQL, in characters. Migrations are exempt, because a migration that has landed never changes. */
export const sqlWidth = 100

/** Finds lines that are too long. */
export function findLongLines({ path, text }: TextFile): string[] {
  return text
    .split('\n')
    .map((line, index) => ({ place: `${path}:${index + 1}`, length: [...line].length }))
    .filter(({ length }) => length > sqlWidth)
    .map(({ place, length }) => `${place}: ${length} characters`)
}

/**
 * Finds files whose name promises something else than they hold. access.sql has the policies, triggers.sql the triggers,
 * comments.sql the comments on tables and columns, schedules.sql the schedules, callbacks.sql and exports.sql the
 * registrations, and database.sql the parts of the database or the cluster. Any other file has one function or view, which
 * gives the file its name (a trigger function without its `tg_<table>__`), and functions of the same name in other schemas,
 * which only call it.
 */
export function findMisplaced(file: TextFile): string[] {
  const created = findCreated(file)
  const kind = {
    'access.sql': 'policy',
    'triggers.sql': 'trigger',
    'schedules.sql': 'nothing',
    'comments.sql': 'nothing',
    'callbacks.sql': 'nothing',
    'exports.sql': 'nothing',
    'database.sql': 'nothing',
  }[basename(file.path)]
  const strangers = created
    .filter(({ object }) => !(kind ? [kind] : ['function', 'view']).includes(object.split(' ')[0] ?? ''))
    .map(({ object, line }) => `${file.path}:${line}: ${object} belongs in a file of its own kind`)
  if (kind !== undefined) return strangers
  const functions = created.map(({ object, line }) => {
    const [schema = '', name = ''] = object.replace(/^\w+ /, '').split('.')
    return { schema, name: name.replace(/^tg_(.*?_)?_/, ''), line }
  })
  const names = functions.map(({ name }) => name)
  if (!names.includes(basename(file.path, '.sql')))
    return [
      ...strangers,
      `${file.path}: holds ${names.join(', ') || 'no function'}, and nothing with the name of the file`,
    ]
  const others = functions.filter(
    ({ schema, name }, index) =>
      name !== basename(file.path, '.sql') || functions.findIndex((one) => one.schema === schema) < index,
  )
  return [
    ...strangers,
    ...others.map(({ schema, name, line }) => `${file.path}:${line}: ${schema}.${name} needs a file of its own`),
  ]
}

/** Finds faults of a migration as a file. */
export function findMigrationFaults({ path, text }: TextFile): string[] {
  const [first = '', ...others] = text.split('\n')
  const sql = blank(text, 'comments')
  const made = sql.match(
    /\bcreate\s+(?:or\s+replace\s+)?(?:constraint\s+)?(function|procedure|aggregate|trigger|policy)\b/i,
  )
  return [
    !/^\d{14}_[a-z0-9_]+\.sql$/.test(basename(path)) && 'is not named <yyyymmddhhmmss>_<name>.sql',
    (!first.startsWith('-- ') || first === migrationPlaceholder) && 'has to say why in its first line',
    made && `creates a ${made[1]}, which belongs in db/modules (line ${lineAt(sql, made.index ?? 0)})`,
    // node-pg-migrate splits the file there.
    [first, ...others].some((line) => /^\s*--[\s-]*(up|down)\s+migration/i.test(line)) &&
      'has a comment that begins "up migration" or "down migration"',
  ]
    .filter((fault) => typeof fault === 'string')
    .map((fault) => `${path}: ${fault}`)
}

function plain(name: string): string {
  return name
    .split('.')
    .map((part) => part.trim())
    .map((part) => (part.startsWith('"') ? part.slice(1, -1) : part.toLowerCase()))
    .join('.')
}
