import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readTables } from './catalog.ts'
import { drawPicture } from './draw_picture.ts'
import { looseReferences } from './loose_references.ts'
import { root } from './pages.ts'
import { readModules, readPictures } from './pictures.ts'

test('every reference without a foreign key has its column and its table, and is drawn', () => {
  const catalog = readTables(readFileSync(join(root, 'db/catalog.txt'), 'utf8'))
  const drawn = readPictures()
    .map(({ text }) => text)
    .join('\n')
  const wrong = Object.entries(looseReferences).filter(([place, parent]) => {
    const [schema, name, column] = place.split('.')
    const table = catalog.find((one) => one.schema === schema && one.name === name)
    const hasParent = catalog.some((one) => `${one.schema}.${one.name}` === parent)
    if (!hasParent || !table?.columns.some((one) => one.name === column)) return true
    const isShown = drawn.includes(`  "${schema}.${name}" {`)
    return isShown && !new RegExp(`^  "${parent}" \\S+ "${schema}.${name}" : "${column}"$`, 'm').test(drawn)
  })
  expect(wrong).toEqual([])
})

test('every table of ours is on the page of one module, which comments on it in its comments.sql', () => {
  const ours = readTables(readFileSync(join(root, 'db/catalog.txt'), 'utf8'))
    .map(({ schema, name }) => `${schema}.${name}`)
    .filter((name) => /^(public|app|worker|sidecar|gate|cache|ops)\./.test(name))
  const shown = readModules().flatMap(({ tables }) => tables.map(({ table }) => `${table.schema}.${table.name}`))
  expect(shown.sort()).toEqual(ours.sort())
})

test('a picture has a background of its own, for light and for dark pages, and loads nothing', () => {
  const svg = drawPicture('A and B', 'flowchart TD\n  a["A"] --> b["B"]\n')
  expect(svg).toContain('background: var(--bg)')
  expect(svg).toContain('prefers-color-scheme: dark')
  expect(svg).not.toMatch(/@import|url\((?!#)|href=/)
})
