import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readFunctions, readTables } from './catalog.ts'
import { readBlocks, readHeadings, readLinks, readSections } from './markdown.ts'
import { readExamplePages, readPages, root } from './pages.ts'

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const pages = readPages()
const examples = readExamplePages()
const guides = examples.filter(({ path }) => path.startsWith('docs/guide/'))
const catalog = read('db/catalog.txt')
const clients = ['anon', 'authenticated', 'service_role']
const slugs = new Map(
  [...read('docs/errors.md').matchAll(/^\| `([a-z][a-z0-9_]*)` \| (\d{3}) \|/gm)].map(([, slug = '', status = '']) => [
    slug,
    status,
  ]),
)

/** Sections of the guides whose heading names this in backticks. */
function sectionsOf(name: string): string[] {
  return guides
    .flatMap(({ text }) => readSections(text))
    .filter(({ title }) => title.includes(`\`${name}\``))
    .map(({ text }) => text)
}

describe('the guides are complete', () => {
  const functions = readFunctions(catalog).filter(
    ({ schema, roles }) => schema === 'public' && roles.some((role) => clients.includes(role)),
  )
  const tables = readTables(catalog).filter(
    ({ schema, grants }) => schema === 'public' && grants.some(({ role }) => clients.includes(role)),
  )

  test('the catalog lists functions and tables for clients', () => {
    expect(functions.length).toBeGreaterThan(20)
    expect(tables.length).toBeGreaterThan(20)
  })

  test.each(functions)('function $name has a section with an example and an answer', ({ name }) => {
    const [section = '', ...others] = sectionsOf(name)
    expect(others).toEqual([])
    expect(section).toContain('```js')
    expect(section).toContain('```sh')
    expect(section).toContain('```json')
  })

  test.each(functions)('the section of function $name names each error of its comment', ({ name }) => {
    const comment = commentOf(name)
    const named = [...slugs.keys()].filter((slug) => new RegExp(`\\b${slug}\\b`).test(comment))
    const [section = ''] = sectionsOf(name)
    expect(named.filter((slug) => !section.includes(`\`${slug}\``))).toEqual([])
  })

  test.each(tables)('table $name has a section that names each column clients may use', ({ name, columns, grants }) => {
    const used = grants
      .filter(({ role }) => clients.includes(role))
      .flatMap((grant) => grant.columns ?? columns.map((column) => column.name))
    const [section = '', ...others] = sectionsOf(name)
    expect(others).toEqual([])
    expect([...new Set(used)].filter((column) => !section.includes(`\`${column}\``))).toEqual([])
  })

  test.each(tables)('table $name has an example in JavaScript and with curl, and its answer', ({ name }) => {
    const blocks = readBlocks(sectionsOf(name)[0] ?? '').flat()
    const named = (language: string) =>
      blocks.some((block) => block.language === language && new RegExp(`\\b${name}\\b`).test(block.text))
    expect([named('js'), named('sh'), blocks.some(({ language }) => language === 'json')]).toEqual([true, true, true])
  })

  test('the section of export_my_data names each key of the export', () => {
    const sql = globSync('db/modules/*/exports.sql', { cwd: root }).map(read).join('\n')
    const keys = [...sql.matchAll(/app\.register_export\('(\w+)'/g)].map(([, key = '']) => key)
    expect(keys.length).toBeGreaterThan(15)
    const [section = ''] = sectionsOf('export_my_data')
    expect(keys.filter((key) => !section.includes(`\`${key}\``))).toEqual([])
  })

  test('every slug in a guide has the status that docs/errors.md gives', () => {
    const rows = guides.flatMap(({ path, text }) =>
      [...text.matchAll(/^\| `([a-z]\w*)` \| (\d{3}) \|/gm)].map(([, slug = '', status = '']) => ({
        path,
        slug,
        status,
      })),
    )
    expect(rows.length).toBeGreaterThan(50)
    expect(rows.filter(({ slug, status }) => slugs.get(slug) !== status)).toEqual([])
  })
})

describe('examples', () => {
  test('a block that is not run says why, and there are few', () => {
    const notRun = examples.flatMap(({ text }) => readBlocks(text).flat()).filter(({ notRun }) => notRun !== undefined)
    expect(notRun.length).toBeLessThan(8)
  })

  test('every block has a language that the tests know', () => {
    const known = ['sh', 'js', 'ts', 'json', 'text', 'sql', 'mermaid']
    const others = examples.flatMap(({ path, text }) =>
      readBlocks(text)
        .flat()
        .filter(({ language }) => !known.includes(language))
        .map(({ line }) => `${path}:${line}`),
    )
    expect(others).toEqual([])
  })

  test('TypeScript compiles', () => {
    const folder = mkdtempSync(join(root, 'node_modules', '.types-'))
    try {
      const files = examples.flatMap(({ path, text }) => {
        const [first, ...others] = readBlocks(text)
          .flat()
          .filter(({ language, notRun }) => language === 'ts' && notRun === undefined)
        if (first === undefined) return []
        const file = join(folder, `${path.replace(/\W/g, '_')}.ts`)
        const source = [first.text, ...others.map((block) => `{\n${block.text}}\n`)].join('')
        // The examples are files of a client, or of worker/handlers/<product>.
        const paths = source
          .replaceAll("'./client_types.ts'", "'../../db/client_types.ts'")
          .replaceAll("'../../steps/", "'../../worker/steps/")
        writeFileSync(file, paths)
        return [file]
      })
      expect(files.length).toBeGreaterThan(0)
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({ extends: '../../tsconfig.json', include: [], files }),
      )
      execFileSync('node_modules/.bin/tsc', ['-p', folder], { cwd: root, encoding: 'utf8' })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('pages', () => {
  test('README has at most 150 lines of at most 120 columns', () => {
    const lines = read('README.md').split('\n')
    expect(lines.length).toBeLessThanOrEqual(151)
    expect(lines.filter((line) => [...line].length > 120)).toEqual([])
  })

  test('every link leads to a file, and its anchor to a heading', () => {
    const broken = pages.flatMap(({ path, text }) =>
      readLinks(text).flatMap(({ path: target, anchor, line }) => {
        const found = target === '' ? path : relative(root, join(root, dirname(path), target))
        const place = `${path}:${line} → ${target}${anchor && `#${anchor}`}`
        if (!existsSync(join(root, found))) return [place]
        if (anchor === '' || !found.endsWith('.md')) return []
        return readHeadings(read(found)).some((heading) => heading.anchor === anchor) ? [] : [place]
      }),
    )
    expect(broken).toEqual([])
  })

  test('every npm script that a page names exists', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const named = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/npm (?:run (?:--silent |-s )?([a-z][a-z:_-]*)|(start|test)\b)/g)].map(([, name, short]) => ({
        path,
        name: name ?? short ?? '',
      })),
    )
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter(({ name }) => !(name in scripts))).toEqual([])
  })
})

/** The comment of a public function, wherever its module has it. */
function commentOf(name: string): string {
  const comment = new RegExp(
    `comment on function public\\.${name}\\([^)]*\\) is\\s+(?:\\$\\$([\\s\\S]*?)\\$\\$|'((?:[^']|'')*)')`,
  )
  const found = globSync('db/modules/**/*.sql', { cwd: root }).flatMap((path) => read(path).match(comment) ?? [])
  expect(found, `the comment of public.${name}`).not.toEqual([])
  return found[1] ?? found[2] ?? ''
}
