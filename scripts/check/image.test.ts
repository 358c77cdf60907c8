import { spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { systemEnv } from '../local/process.ts'

// The image of docker-compose.yml has only the files that its Dockerfile copies.
const root = resolve(import.meta.dirname, '../..')
const image = mkdtempSync(join(tmpdir(), 'plinth-image-'))
afterAll(() => rmSync(image, { recursive: true, force: true }))

const copies = [...readFileSync(join(root, 'docker-compose.yml'), 'utf8').matchAll(/^ +COPY (.+) (\S+)$/gm)]
for (const [, sources = '', target = ''] of copies) {
  for (const source of sources.split(' ')) {
    cpSync(join(root, source), join(image, target.endsWith('/') ? join(target, basename(source)) : target), {
      recursive: true,
    })
  }
}
symlinkSync(join(root, 'node_modules'), join(image, 'node_modules'))

/** Files that run as threads, which no file imports. */
const threads = globSync('{worker,sidecar}/**/*.ts', { cwd: image }).flatMap((path) =>
  [...readFileSync(join(image, path), 'utf8').matchAll(/new Worker\(new URL\('(\.[^']+)'/g)].map((match) =>
    join(dirname(path), match[1] ?? ''),
  ),
)

test('knows the threads', () => {
  expect(threads).toEqual(['worker/heartbeat/heartbeat_thread.ts'])
})

test.each(['worker/main.ts', 'sidecar/main.ts', 'scripts/db_migrate.ts', 'scripts/db_seed.ts', ...threads])(
  'has every file that %s imports',
  (entry) => {
    // Without variables, or outside of its process, each of them loads all of its files, and stops.
    const { stderr, status } = spawnSync(process.execPath, [entry], {
      cwd: image,
      env: { ...systemEnv(), HOME: image },
      encoding: 'utf8',
      timeout: 100_000,
    })
    expect(stderr).not.toMatch(/ERR_MODULE_NOT_FOUND|ENOENT/)
    expect(stderr).toMatch(/DATABASE_URL|stack|is a thread/)
    expect(status).toBeGreaterThan(0)
  },
)
