import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { readTables } from './catalog.ts'
import { readProse, readShownFiles } from './markdown.ts'
import { readPages, root } from './pages.ts'

// A page that names a file or a database object is wrong as soon as the object is renamed.

/** The changelog names what was removed, the style guide shows examples. */
const pages = readPages().filter(({ path }) => path !== 'CHANGELOG.md' && path !== 'docs/style.md')
const catalog = readFileSync(join(root, 'db/catalog.txt'), 'utf8')

test('every object of our schemas that a page names in prose or a diagram exists, with its column', () => {
  const named = catalog.matchAll(/^(?:table|view|function|type|domain|sequence) ([a-z_]+\.[a-z0-9_]+)/gm)
  const objects = new Set([...named].map(([, name]) => name))
  const columns = new Set(
    readTables(catalog).flatMap((table) => table.columns.map(({ name }) => `${table.schema}.${table.name}.${name}`)),
  )
  const missing = pages.flatMap(({ path, text }) =>
    readProse(text, ['mermaid']).flatMap((line, index) =>
      [
        ...line.matchAll(
          /(?<![\w./-])((?:app|worker|sidecar|gate|ops|cache)\.[a-z][a-z0-9_]*)(\.[a-z][a-z0-9_]*)?(?![\w/])/g,
        ),
      ]
        .filter(({ index }) => !/^[\w.]*\.(ts|sql|md)\b/.test(line.slice(index)))
        .filter(([, object]) => !text.includes(`create or replace function ${object}(`))
        .filter(([name, object, column]) => !objects.has(object) || (column !== undefined && !columns.has(name)))
        .map(([name]) => `${path}:${index + 1} ${name}`),
    ),
  )
  expect(missing).toEqual([])
})

test('every path that a page names exists', () => {
  const shown = pages.flatMap(({ text }) => readShownFiles(text)).map(({ path }) => path)
  const isShown = (named: string) =>
    shown.some((path) => path === named || path.startsWith(`${named}/`.replace('//', '/')))
  const missing = pages.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) =>
      [...line.matchAll(/`((?:db|worker|sidecar|scripts|docs|\.github|\.ci)\/[\w./*{},-]*)`/g)]
        .flatMap(([, named = '']) => expandBraces(named))
        .filter((named) => !named.includes('*') && !existsSync(join(root, named)) && !isShown(named))
        .map((named) => `${path}:${index + 1} ${named}`),
    ),
  )
  expect(missing).toEqual([])
})

test('the code map has every folder of code', () => {
  const map = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
  const folders = globSync('{db,db/modules,worker,scripts}/*/', { cwd: root, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((folder) => folder !== 'db/modules')
  expect(folders.length).toBeGreaterThan(20)
  expect(folders.filter((folder) => !map.includes(`| \`${folder}/\``) && !map.includes(`, \`${folder}/\` |`))).toEqual(
    [],
  )
})

/** `a/{b,c}.ts` as `a/b.ts` and `a/c.ts`. */
function expandBraces(path: string): string[] {
  const match = path.match(/^(.*?)\{([^}]*)\}(.*)$/)
  if (!match) return [path]
  return (match[2] ?? '').split(',').flatMap((part) => expandBraces(`${match[1]}${part}${match[3]}`))
}
