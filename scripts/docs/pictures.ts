import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { count, type Outcome } from '../check/outcome.ts'
import { readTables } from './catalog.ts'
import { drawPicture } from './draw_picture.ts'
import { drawTables, type Module } from './draw_tables.ts'
import { root } from './pages.ts'

/** A generated file of docs/, and what it should hold. */
export type Picture = { path: string; text: string }

/** Every generated picture, as it should be now. */
export function readPictures(): Picture[] {
  return [
    {
      path: 'docs/architecture.svg',
      text: drawPicture('The architecture of Plinth', read('docs/architecture.mmd')),
    },
    ...readModules().map((module) => ({ path: `docs/er/${module.name}.md`, text: drawTables(module) })),
  ]
}

/** The modules that have tables. A table belongs to the module whose comments.sql comments on it. */
export function readModules(): Module[] {
  const tables = readTables(read('db/catalog.txt'))
  return globSync('db/modules/*/comments.sql', { cwd: root })
    .sort()
    .map((path) => ({
      name: basename(dirname(path)),
      tables: readTableComments(read(path)).flatMap(({ name, comment }) => {
        const table = tables.find((one) => `${one.schema}.${one.name}` === name)
        return table === undefined ? [] : [{ table, comment }]
      }),
    }))
    .filter((module) => module.tables.length > 0)
}

function readTableComments(sql: string): { name: string; comment: string }[] {
  const statement = /^comment on table (\S+) is\s+((?:'(?:[^']|'')*'\s*)+|\$\$[\s\S]*?\$\$)\s*;/gm
  return [...sql.matchAll(statement)].map(([, name = '', text = '']) => ({
    name,
    comment: text
      .replace(/\$\$/g, '')
      .replace(/(?<!')'\s+'(?!')/g, '')
      .replace(/^'|'\s*$/g, '')
      .replaceAll("''", "'")
      .replace(/\s+/g, ' ')
      .trim(),
  }))
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** The generated files that are missing or differ from what they should hold. */
export function findStale(): string[] {
  return readPictures()
    .filter(({ path, text }) => !existsSync(join(root, path)) || read(path) !== text)
    .map(({ path }) => path)
}

/** Writes every generated file; returns their paths. */
export function writePictures(): string[] {
  return readPictures().map(({ path, text }) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    return path
  })
}

/** For `npm run db:check`: the generated files are current, or are written. */
export function checkPictures(isWriting: boolean): Outcome {
  if (isWriting) writePictures()
  return {
    said: `${count(readPictures().length, 'file')} of docs/, against the catalog and docs/architecture.mmd`,
    problems: findStale().map((path) => `${path} is out of date`),
    remedy: 'npm run docs:pictures',
  }
}
