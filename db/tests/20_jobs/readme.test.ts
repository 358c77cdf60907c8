import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { findCreated, readFiles } from '../../../scripts/check/files.ts'

// The README of the engine names functions and tables, and draws who calls whom.
const root = resolve(import.meta.dirname, '../../..')
const folder = join(root, 'db/modules/20_jobs')
const readme = readFileSync(join(folder, 'README.md'), 'utf8')
const modules = await readFiles(root, ['db/modules/*/*.sql'])
const migrations = await readFiles(root, ['db/migrations/*.sql'])
const functions = new Map(
  modules.flatMap((file) =>
    findCreated(file)
      .filter(({ object }) => object.startsWith('function '))
      .map(({ object }) => [object.replace('function ', ''), file.text] as const),
  ),
)
const tables = migrations.flatMap(({ text }) =>
  [...text.matchAll(/\bcreate table (\w+\.\w+)/g)].map(([, name]) => name),
)

test('names only functions and tables that exist', () => {
  const example = ['app.store_reports', 'app.release_report_holds']
  const names = [...readme.matchAll(/\b(?:app|public|worker)\.\w+/g)].map(([name]) => name)
  expect(names.length).toBeGreaterThan(50)
  expect(names.filter((name) => ![...functions.keys(), ...tables, ...example].includes(name))).toEqual([])
})

test('draws only calls that exist', () => {
  const [, tree = ''] = readme.match(/^```\n(.*?)^```$/ms) ?? []
  const calls: [string, string][] = []
  const above: string[] = []
  for (const line of tree.trimEnd().split('\n')) {
    const depth = line.search(/\S/) / 2
    const names = line.trim().split(', ')
    if (depth > 0) for (const name of names) calls.push([above[depth - 1] ?? '', name])
    above[depth] = names.at(-1) ?? ''
  }
  expect(calls.length).toBeGreaterThan(30)
  const isCall = ([from, to]: [string, string]) => functions.get(from)?.includes(`${to}(`)
  expect(calls.filter((call) => !isCall(call))).toEqual([])
})

test('links only to files that exist', () => {
  const links = [...readme.matchAll(/\]\(([^)#]+)/g)].map(([, link = '']) => link)
  expect(links.filter((link) => !existsSync(join(folder, link)))).toEqual([])
})
