import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { writeEnv } from './local/home.ts'
import { claimHome, releaseHome, systemEnv } from './local/process.ts'
import { isComplete } from './sql/prompt.ts'
import { findPsql } from './sql/run_psql.ts'
import { type Api, createDatabase, startApi, type TestDatabase } from './testing/database.ts'
import { until } from './testing/waiting.ts'

// A home whose env names a test database: for the command, a stack that runs.
const home = mkdtempSync(join(tmpdir(), 'plinth-sql-'))
let database: TestDatabase
let api: Api
const ana = { id: crypto.randomUUID(), email: 'ana@example.com' }

beforeAll(async () => {
  database = await createDatabase()
  api = await startApi(database)
  claimHome(home)
  writeEnv(home, {
    DATABASE_URL: database.url(),
    AUTHENTICATOR_DATABASE_URL: database.url('authenticator'),
    WORKER_DATABASE_URL: database.url('worker'),
    SIDECAR_DATABASE_URL: database.url('sidecar'),
    SUPABASE_ANON_KEY: api.anonKey,
    SUPABASE_SERVICE_ROLE_KEY: api.serviceKey,
    JWT_SECRET: inject('cluster').secrets.jwtSecret,
  })
  const client = await database.connect()
  await client.query('insert into auth.users (id, email) values ($1, $2)', [ana.id, ana.email])
  await client.query(`
    create function public.who() returns json language sql as $$
      select json_build_object(
        'user', current_user, 'session', session_user, 'uid', auth.uid(), 'role', auth.role(),
        'email', auth.jwt() ->> 'email', 'aud', auth.jwt() ->> 'aud',
        'timeout', current_setting('statement_timeout'), 'hash', digest('a', 'md5'),
        'plans', (select count(*) from plans), 'sees', has_table_privilege('users', 'select')
      )
    $$;
    grant execute on function public.who() to anon, authenticated, service_role;
    notify pgrst, 'reload schema'`)
  const who = () => fetch(`${api.url}/rest/v1/rpc/who`, { headers: { apikey: api.anonKey } })
  await until('PostgREST knows the function', async () => (await who()).status === 200)
})
afterAll(async () => {
  releaseHome(home)
  rmSync(home, { recursive: true, force: true })
  await api.stop()
  await database.drop()
})

/** The command as a person runs it; `input` is typed into it. */
async function sql(args: string[], input = '', path = process.env['PATH']) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'sql.ts'), ...args], {
    env: { PATH: path, PLINTH_HOME: home, LC_ALL: 'C.UTF-8' },
  })
  child.stdin.end(input)
  const [stdout, stderr, status] = await Promise.all([
    child.stdout.setEncoding('utf8').toArray(),
    child.stderr.setEncoding('utf8').toArray(),
    new Promise((resolve) => child.once('exit', resolve)),
  ])
  return { status, stdout: stdout.join(''), stderr: stderr.join('') }
}

/** Lines without the blanks that align them. */
const words = (text: string) => text.split('\n').flatMap((line) => line.trim().replace(/ +/g, ' ') || [])

test('psql runs no command that stands in the name of a caller', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-psql-'))
  try {
    writeFileSync(join(folder, 'psql'), '#!/bin/sh\necho "$@"\n', { mode: 0o755 })
    const { stdout } = await sql(['--as', 'authenticated:%`id`@example.com'], '', folder)
    expect(stdout).toBe('--set PROMPT1=authenticated:%%`id`@example.com%R%# \n')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

const prompts: [name: string, args: string[]][] = [['the built-in prompt', ['--built-in']]]
if (findPsql()) prompts.push(['psql', []])

describe.each(prompts)('npm run sql with %s', (_name, prompt) => {
  test('runs one statement, and prints its rows', async () => {
    const { status, stdout } = await sql([...prompt, '-c', "select 1 as one, 'ä' as two, null as three"])
    expect([status, words(stdout)]).toMatchObject([
      0,
      ['one | two | three', expect.stringMatching(/^-+\+-+\+-+$/), expect.stringMatching(/^1 \| ä \|$/), '(1 row)'],
    ])
    expect((await sql([...prompt, '-c', 'update plans set name = name where false'])).stdout).toBe('UPDATE 0\n')
  })

  test('prints an error with its place and its hint, and exits with 1', async () => {
    const { status, stderr } = await sql([...prompt, '-c', 'select 1,\n  nme from plans'])
    expect(status).toBe(1)
    expect(stderr).toMatch(/^ERROR: .*column "nme" does not exist\nLINE 2: {3}nme from plans\n {10}\^\nHINT: /)
  })

  test('reads statements of several lines from its input, and a function whose body has semicolons', async () => {
    const { status, stdout } = await sql(
      prompt,
      `select
         2 + 2 as sum
       ;
       do $$
       begin
         perform 1;
       end $$;
       select ';' as semicolon;
       \\q
       select 'never' as reached;`,
    )
    expect(status).toBe(0)
    expect(stdout).toMatch(/ *sum *\n[\s\S]* 4\n[\s\S]*DO\n[\s\S]*semicolon[\s\S]*;/)
    expect(stdout).not.toContain('reached')
  })

  test('describes a table', async () => {
    const { stdout } = await sql(prompt, '\\d plans\n')
    expect(stdout).toMatch(/^ *id +\| text +\|.*not null/m)
  })

  test.each(['postgres', 'worker', 'sidecar'])('is %s', async (role) => {
    const { stdout } = await sql([...prompt, '--as', role, '-c', 'select current_user as who'])
    expect(stdout).toContain(role)
    const { stderr } = await sql([...prompt, '--as', role, '-c', 'select count(*) from app.settings'])
    if (role === 'postgres') expect(stderr).toBe('')
    else expect(stderr).toContain('permission denied for schema app')
  })

  test.each([
    ['anon', () => api.anonKey],
    ['authenticated:Ana@example.com', () => api.tokenFor(ana)],
    ['service_role', () => api.serviceKey],
  ])('is %s as PostgREST has it, for the whole session', async (caller, token) => {
    // By POST, because anonymous reads have a shorter timeout than their role.
    const authorization = `Bearer ${await token()}`
    const headers = { apikey: api.anonKey, authorization, 'content-type': 'application/json' }
    const answer = await fetch(`${api.url}/rest/v1/rpc/who`, { method: 'POST', headers, body: '{}' })
    const expected = await answer.json()
    expect(answer.status, JSON.stringify(expected)).toBe(200)
    const { stdout, stderr } = await sql(
      [...prompt, '--as', caller],
      'reset all; reset role;\nbegin;\nrollback;\nselect who()::text as who;\n',
    )
    const found = stdout.match(/\{.*\}/)?.[0]
    expect(found, stdout + stderr).toBeDefined()
    expect(JSON.parse(found ?? '')).toEqual(expected)
  })
})

test('the built-in prompt goes on after an error of its input, and ends with 1', async () => {
  const { status, stdout, stderr } = await sql(['--built-in'], 'select nothing;\nselect 7 as seven;\n\\x\n\\d\n')
  expect(status).toBe(1)
  expect(stderr).toContain('column "nothing" does not exist')
  expect(stdout).toMatch(/seven[\s\S]*7[\s\S]*Unknown command "\\x"[\s\S]*public +\| plans +\| table/)
})

test('the built-in prompt on a terminal cancels a query at Ctrl-C, drops a statement, and goes on', async () => {
  const command = `${process.execPath} ${join(import.meta.dirname, 'sql.ts')} --built-in`
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { ...systemEnv(), PLINTH_HOME: home, TERM: 'dumb' },
  })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (data) => {
    shown += data
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  const see = (text: string) => expect.poll(() => shown).toContain(text)
  await see('postgres=> ')
  child.stdin.write('select pg_sleep(60);\n')
  const client = await database.connect()
  const sleeping =
    "select from pg_stat_activity where query like 'select pg_sleep(60)%' and state = 'active' and datname = current_database()"
  await expect.poll(async () => (await client.query(sleeping)).rowCount).toBe(1)
  child.stdin.write('\x03')
  await see('canceling statement due to user request')
  child.stdin.write('select "unfinished\n')
  await see('postgres-> ')
  child.stdin.write('\x03')
  child.stdin.write('select 6 * 7 as answer;\n')
  await see('(1 row)')
  expect(shown).toMatch(/answer *\r\n-+\r\n +42/)
  child.stdin.write('\\q\n')
  expect(await exited).toBe(0)
})

test('an unknown caller is refused, and so is a stack that does not run', async () => {
  for (const caller of ['root', 'authenticated', 'authenticated:x', 'constructor']) {
    const { status, stderr } = await sql(['--as', caller, '-c', 'select 1'])
    expect([status, stderr]).toEqual([2, expect.stringContaining(`Unknown caller "${caller}". Use one of: postgres,`)])
  }
  releaseHome(home)
  const { status, stderr } = await sql(['-c', 'select 1'])
  claimHome(home)
  expect([status, stderr]).toEqual([2, expect.stringContaining('No local stack runs in')])
})

test.each([
  ['select 1', false],
  ['select 1;', true],
  ['select 1; -- done', true],
  ["select ';", false],
  ["select ';';", true],
  ['select ";', false],
  ['do $$ begin null;', false],
  ['do $x$ begin null; end $x$;', true],
  ['select 1 /* ;', false],
  ['select 1 -- ;', false],
])('a statement is complete or not: %s', (text, expected) => {
  expect(isComplete(text)).toBe(expected)
})
