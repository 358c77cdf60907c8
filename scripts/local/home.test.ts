import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openHome } from './home.ts'
import { signApiKey } from './jwt.ts'
import { localKeys, verifyJwt } from './keys.ts'

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

test('secrets and keys stay the same; a home of an earlier release gets the new ones, and keeps its own', async () => {
  const first = openHome(folder)
  const keys = await localKeys(first)
  expect(openHome(folder)).toEqual(first)
  expect(await localKeys(openHome(folder))).toEqual(keys)

  const old = join(folder, 'old')
  const names = ['jwtSecret', 'adminPassword', 'postgresPassword', 'authenticatorPassword'] as const
  const known = Object.fromEntries(names.map((name) => [name, first[name]]))
  mkdirSync(old)
  writeFileSync(join(old, 'secrets.json'), JSON.stringify(known))
  const opened = openHome(old)
  expect(opened).toMatchObject(known)
  expect(Object.keys(opened).toSorted()).toEqual(Object.keys(first).toSorted())
  expect(opened.publishableKey).not.toBe(first.publishableKey)
  expect(openHome(old)).toEqual(opened)
  // A key that an earlier release printed.
  const oldKey = await signApiKey('anon', first.jwtSecret, 1_790_000_000)
  expect((await verifyJwt(oldKey, await localKeys(opened)))['role']).toBe('anon')
})
