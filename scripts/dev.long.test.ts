import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createClient } from '@supabase/supabase-js'
import { expect, test } from 'vitest'
import { migrationPlaceholder } from './check/files.ts'
import { describeFault, describeLine } from './dev/follow_log.ts'
import { newHome, pidsOf, type RunningStack, remember, root, start, stop } from './testing/stacks.ts'

/** A copy of the project, so that its files can be changed. */
function copyProject(): string {
  const project = newHome()
  for (const part of ['db', 'docs', 'scripts', 'sidecar', 'worker', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, part), join(project, part), {
      recursive: true,
      filter: (path) => !/\.test\.(ts|sql)$|\/tests$/.test(path),
    })
  }
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'))
  return project
}

/** Writes a file as many editors and git do: a new file gets the name of the old one. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

/** Resolves when the stack has printed this since `from`; returns what came with it. */
async function see({ child, output }: RunningStack, text: string | RegExp, from = 0): Promise<number> {
  await expect
    .poll(
      () => {
        if (child.exitCode !== null) throw new Error(`npm run dev ended: ${output()}`)
        return output().slice(from)
      },
      { interval: 50 },
    )
    .toMatch(text)
  return output().length
}

test('npm run dev applies what changes, says what fails and where, and goes on', async () => {
  const project = copyProject()
  const home = join(project, 'home')
  mkdirSync(home)
  const stack = await start(home, 'scripts/dev.ts', project)
  const client = createClient(stack.env['SUPABASE_URL'] ?? '', stack.env['SUPABASE_ANON_KEY'] ?? '')
  const greet = async () => (await client.rpc('greet')).data

  // A module file: new, broken, mended.
  const greeting = (text: string, end = '') => `create or replace function public.greet()
  returns text
  language sql
  set search_path = ''
return ${text};${end}
grant execute on function public.greet() to anon;
`
  const module = join(project, 'db/modules/00_base/greet.sql')
  writeFileSync(module, greeting("'hello'"))
  let seen = await see(stack, /^Applied db\/modules\/00_base\/greet\.sql$/m)
  await expect.poll(greet).toBe('hello')
  writeFileSync(module, greeting('helo'))
  seen = await see(stack, /^db\/modules\/00_base\/greet\.sql:5: column "helo" does not exist/m, seen)
  writeFileSync(module, greeting("'bye'"))
  seen = await see(stack, /^Applied db\/modules\/00_base\/greet\.sql$/m, seen)
  await expect.poll(greet).toBe('bye')

  // Editors and git replace a file by a new one of the same name; the new one is written again. And a folder is new.
  replaceFile(module, greeting("'replaced'"))
  seen = await see(stack, /^Applied db\/modules\/00_base\/greet\.sql$/m, seen)
  writeFileSync(module, greeting("'written again'"))
  seen = await see(stack, /^Applied db\/modules\/00_base\/greet\.sql$/m, seen)
  await expect.poll(greet).toBe('written again')
  const folder = join(project, 'db/modules/90_more')
  mkdirSync(folder)
  writeFileSync(join(folder, 'greet_more.sql'), greeting("'more'").replaceAll('greet()', 'greet_more()'))
  seen = await see(stack, /^Applied db\/modules\/90_more\/greet_more\.sql$/m, seen)

  // A migration waits for its reason, and modules with it.
  const migration = join(project, 'db/migrations/20991231000000_add_notes.sql')
  const statements = "set local lock_timeout = '5s';\ncreate table public.notes (id integer primary key);\n"
  writeFileSync(migration, `${migrationPlaceholder}\n${statements}`)
  seen = await see(
    stack,
    /^db\/migrations\/20991231000000_add_notes\.sql is not applied until its first line says why/m,
    seen,
  )
  writeFileSync(migration, `-- Notes are for the test.\n${statements}`)
  seen = await see(stack, /^Applied db\/migrations\/20991231000000_add_notes\.sql$/m, seen)
  appendFileSync(migration, '-- Changed.\n')
  seen = await see(stack, /add_notes\.sql has changed since this database ran it/, seen)
  writeFileSync(migration, `-- Notes are for the test.\n${statements}`)

  // Seed data.
  appendFileSync(join(project, 'db/seed/plans.sql'), '\n-- Changed.\n')
  seen = await see(stack, /^Applied db\/seed\/plans\.sql$/m, seen)

  // Worker and sidecar, whose code breaks and is mended, each time by a new file of the same name.
  for (const [name, health] of [
    ['worker', stack.env['WORKER_HEALTH_URL'] ?? ''],
    ['sidecar', `${stack.env['SIDECAR_URL']}/api/health`],
  ] as const) {
    const main = join(project, name, 'main.ts')
    const text = readFileSync(main, 'utf8')
    replaceFile(main, `${text}\nthrow new Error('broken on purpose')\n`)
    seen = await see(stack, new RegExp(`^${name}: ${name}/main\\.ts changed$`, 'm'), seen)
    const from = seen
    seen = await see(
      stack,
      new RegExp(`^${name}: (Error|error Process had an accident): broken on purpose$`, 'm'),
      from,
    )
    seen = await see(stack, new RegExp(`^${name} has ended \\(exit code 1\\) and starts again in 1 s`, 'm'), from)
    // The broken process may answer for a moment, and each further start of it, too.
    await expect.poll(() => fetch(health).catch(() => 'no answer'), { interval: 20 }).toBe('no answer')
    replaceFile(main, text)
    await expect.poll(async () => (await fetch(health).catch(() => undefined))?.status).toBe(200)
  }

  // PostgREST does not name the folder.
  expect(remember(home)).toHaveLength(7)
  expect(pidsOf(project)).toHaveLength(6)
  // Ctrl-C arrives twice: from the terminal, and from npm.
  stack.child.stdout?.once('data', () => stack.child.kill('SIGINT'))
  await stop(stack, 'SIGINT')
  expect([...pidsOf(project), ...pidsOf(home)]).toEqual([])
  expect(readdirSync(join(home, 'run'))).toEqual([])
  expect(stack.output().trimEnd()).toMatch(/Stopping …$/)
  for (const name of ['worker', 'sidecar']) {
    expect(readFileSync(join(home, 'logs', `${name}.log`), 'utf8')).toContain('"Shutdown finished"')
  }
  rmSync(home, { recursive: true, force: true })
})

test.each([
  ['{"level":"info","msg":"Request was answered"}', undefined],
  ['{"level":"warn","msg":"Request was refused","err":{"message":"no answer"}}', 'warn Request was refused: no answer'],
  ['{"level":"error","msg":"Failed"}', 'error Failed'],
  ['{"level":"warn","msg":"Process has ended and is started again"}', undefined],
  ['Error: broken on purpose', 'Error: broken on purpose'],
  ['  ', undefined],
])('shows a developer %s as %s', (line, shown) => {
  expect(describeLine(line)).toBe(shown)
})

test.each([
  [
    '2026-11-27 04:37:41.862 UTC [11235] LOG:  Callback failed for step 3: app.f raised P0001: no',
    'Callback failed for step 3: app.f raised P0001: no',
  ],
  ['2026-11-27 04:37:41.862 UTC [11235] ERROR:  Callback failed', undefined],
  ['\tPL/pgSQL function app.apply_results(jsonb) line 8 at RETURN', undefined],
])('shows a developer the line of Postgres %s as %s', (line, shown) => {
  expect(describeFault(line)).toBe(shown)
})
