import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDatabase, startApi } from '../testing/database.ts'
import { isPortTaken } from './process.ts'
import { findPostgrest, startObjectStore } from './services.ts'

let folder: string
const given = process.env['PLINTH_POSTGREST_BIN']
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plinth-services-'))
})
afterEach(() => {
  if (given === undefined) delete process.env['PLINTH_POSTGREST_BIN']
  else process.env['PLINTH_POSTGREST_BIN'] = given
  rmSync(folder, { recursive: true, force: true })
})

test('PLINTH_POSTGREST_BIN starts another PostgREST, in tests, too', async () => {
  const [program, started] = [join(folder, 'postgrest'), join(folder, 'started')]
  writeFileSync(program, `#!/bin/sh\necho "$0" > ${started}\nexec ${findPostgrest()} "$@"\n`)
  chmodSync(program, 0o755)
  process.env['PLINTH_POSTGREST_BIN'] = program
  const database = await createDatabase()
  const api = await startApi(database)
  expect(readFileSync(started, 'utf8').trim()).toBe(program)
  expect((await fetch(`${api.url}/rest/v1/plans`, { headers: { apikey: api.keys.publishableKey } })).status).toBe(200)
  await api.stop()
  await database.drop()
})

test('a program that answers at the port of a part is not mistaken for the part', async () => {
  const other = createServer((_request, response) => response.end('{}')).listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as AddressInfo
  const error = await startObjectStore(folder, port).catch((error) => error)
  expect(error.message).toContain('object-store ended at its start (exit code 1)')
  expect(isPortTaken(error)).toBe(true)
  expect(isPortTaken(new Error('postgrest: Network.Socket.bind: resource busy (Address in use)'))).toBe(true)
  other.close()
})

test('PLINTH_POSTGREST_BIN may be a folder, and a wrong path is one sentence', () => {
  const program = join(folder, 'postgrest')
  process.env['PLINTH_POSTGREST_BIN'] = folder
  expect(findPostgrest).toThrow(`PLINTH_POSTGREST_BIN names no program: ${program} does not exist.`)
  writeFileSync(program, '')
  expect(findPostgrest()).toBe(program)
  delete process.env['PLINTH_POSTGREST_BIN']
  expect(existsSync(findPostgrest())).toBe(true)
})
