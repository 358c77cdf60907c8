import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openHome } from './home.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plinth-home-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8)

test('a new home, and one of an earlier release, are closed to other users', () => {
  const old = join(folder, 'old')
  for (const path of [old, join(old, 'objects'), join(old, 'logs')]) {
    mkdirSync(path)
    chmodSync(path, 0o755)
  }
  for (const home of [join(folder, 'a/new'), old]) {
    openHome(home)
    const modes = ['', 'objects', 'logs', 'run'].map((name) => modeOf(join(home, name)))
    expect(modes, home).toEqual(['700', '700', '700', '700'])
    expect(modeOf(join(home, 'secrets.json'))).toBe('600')
  }
})

test('a folder in which everybody may write stays open, but not the folders in it', () => {
  chmodSync(folder, 0o1777)
  openHome(folder)
  expect(modeOf(folder)).toBe('1777')
  expect(modeOf(join(folder, 'objects'))).toBe('700')
})
