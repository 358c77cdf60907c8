import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createWebServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { createClient } from '@supabase/supabase-js'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { readEnv } from './local/home.ts'
import { explain, isRunning } from './local/process.ts'
import { ended, newHome, pidsOf, remember, run, start, stop } from './testing/stacks.ts'

/** The S3 server takes an object and gives it back, as @aws-sdk/client-s3 sends it. */
async function putAndGet(env: Record<string, string>): Promise<void> {
  const store = new S3Client({
    endpoint: env['S3_ENDPOINT'] ?? '',
    region: env['S3_REGION'] ?? '',
    credentials: { accessKeyId: env['S3_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['S3_SECRET_ACCESS_KEY'] ?? '' },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  const at = { Bucket: env['S3_BUCKET'] ?? '', Key: 'shared-assets/a name with spaces & ünïcode.txt' }
  await store.send(new PutObjectCommand({ ...at, Body: 'kept' }))
  expect(await (await store.send(new GetObjectCommand(at))).Body?.transformToString()).toBe('kept')
}

/** Uploads a file through the gateway, and loads it from the URL of its row. */
async function uploadAndLoad(env: Record<string, string>): Promise<void> {
  const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')
  const form = new FormData()
  form.append('file', new Blob([gif]), '../dot.gif')
  const answer = await fetch(`${env['SUPABASE_URL']}/api/assets`, { method: 'POST', body: form })
  expect(answer.status).toBe(201)
  const { assetId } = (await answer.json()) as { assetId: string }
  const client = createClient(env['SUPABASE_URL'] ?? '', env['SUPABASE_SERVICE_ROLE_KEY'] ?? '')
  const { data } = await client.from('assets').select('file_path').eq('id', assetId).single().throwOnError()
  const loaded = await fetch(data.file_path)
  expect(loaded.headers.get('content-type')).toBe('image/gif')
  expect(Buffer.from(await loaded.arrayBuffer())).toEqual(gif)
}

describe('npm start', () => {
  test('brings up the whole stack, keeps data, and stops every part, also one that does not answer', async () => {
    const home = newHome()
    const first = await start(home)
    const share_id = crypto.randomUUID()
    const client = createClient(first.env['SUPABASE_URL'] ?? '', first.env['SUPABASE_ANON_KEY'] ?? '')
    const flow = { name: 'Kept', nodes: [], edges: [] }
    await client.rpc('share_flow', { flow, share_id }).throwOnError()
    for (const url of [`${first.env['SUPABASE_URL']}/api/health`, first.env['WORKER_HEALTH_URL'] ?? '']) {
      expect((await fetch(url)).status).toBe(200)
    }
    await putAndGet(first.env)
    await uploadAndLoad(first.env)
    expect(first.env).toMatchObject({
      VITE_SUPABASE_URL: first.env['SUPABASE_URL'],
      VITE_SUPABASE_ANON_KEY: first.env['SUPABASE_ANON_KEY'],
      VITE_BACKEND_URL: first.env['SUPABASE_URL'],
    })

    // The operator's role sees the statements inside functions, and the plans of slow ones.
    const db = new pg.Client(first.env['DATABASE_URL'])
    await db.connect()
    const { rows } = await db.query("select from pg_stat_statements where query ilike 'insert into %shared_resources%'")
    expect(rows.length).toBeGreaterThan(0)
    await db.query('select pg_sleep(1.1)')
    await db.end()
    const plan = /duration: \d+\.\d+ ms {2}plan:\s+Query Text: select pg_sleep\(1\.1\)/
    // npm start filters the log, so a line is in the file a moment after Postgres wrote it.
    await expect.poll(() => readFileSync(join(home, 'logs', 'postgres.log'), 'utf8')).toMatch(plan)

    // Refused requests do not fill the logs: a log has one line a second, which counts the others.
    const sentAt = performance.now()
    const requests = Array.from({ length: 40 }, () =>
      fetch(`${first.env['SUPABASE_URL']}/rest/v1/flows?id=eq.refused`, {
        headers: { apikey: first.env['SUPABASE_ANON_KEY'] ?? '' },
      }),
    )
    for (const refused of await Promise.all(requests)) expect(refused.status).toBe(400)
    for (const [log, text] of [
      ['postgrest.log', 'id=eq.refused'],
      ['postgres.log', 'ERROR:  invalid input syntax for type uuid: "refused"'],
    ] as const) {
      const listLines = () =>
        readFileSync(join(home, 'logs', log), 'utf8')
          .split('\n')
          .filter((line) => line.includes(text))
      const leftOut = (line: string) => Number(/\((\d+) more lines like this were left out\)/.exec(line)?.[1] ?? 0)
      await expect.poll(() => listLines().reduce((sum, line) => sum + 1 + leftOut(line), 0)).toBe(40)
      expect(listLines().length, log).toBeLessThan(3 + (performance.now() - sentAt) / 1000)
    }

    // No secret is on a command line, and the files that hold them are the owner's alone.
    const stored = JSON.parse(readFileSync(join(home, 'secrets.json'), 'utf8'))
    const secrets = [...Object.values(stored).filter((value) => typeof value === 'string'), stored.signingKey.d]
    const pids = remember(home)
    expect(pids.length).toBe(7)
    const standInLog = readFileSync(join(home, 'logs', 'gemini-stand-in.log'), 'utf8')
    expect(standInLog).toContain('This is a STAND-IN for Gemini')
    const commandLines = pids.map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).join('\n')
    for (const secret of secrets) expect(commandLines).not.toContain(secret)
    for (const file of ['env', 'secrets.json']) expect(statSync(join(home, file)).mode & 0o777).toBe(0o600)
    // As root, the group of the Postgres user may pass through.
    expect(statSync(home).mode & 0o777).toBe(process.getuid?.() === 0 ? 0o710 : 0o700)
    for (const folder of ['logs', 'objects', 'run', 'postgres'])
      expect(statSync(join(home, folder)).mode & 0o777, folder).toBe(0o700)
    // A newcomer needs the URL, both kinds of keys, and the page of mails.
    const shown = ['SUPABASE_URL', 'MAIL_URL', 'SUPABASE_PUBLISHABLE_KEY', 'SUPABASE_SECRET_KEY', 'SUPABASE_ANON_KEY']
    for (const name of [...shown, 'SUPABASE_SERVICE_ROLE_KEY']) expect(first.output()).toContain(first.env[name])
    for (const name of ['adminPassword', 'postgresPassword', 'jwtSecret'])
      expect(first.output()).not.toContain(stored[name])
    const { url } = (await client.rpc('describe_share', { share_id }).single<{ url: string }>().throwOnError()).data
    for (const page of [url, first.env['MAIL_URL'] ?? '']) expect((await fetch(page)).status, page).toBe(200)

    await stop(first)
    expect(pidsOf(home)).toEqual([])
    expect(existsSync(join(home, 'env'))).toBe(false)

    // URL and keys stay, so an app that was configured once goes on. Either key works.
    const second = await start(home)
    expect(second.env).toEqual(first.env)
    const again = createClient(first.env['SUPABASE_URL'] ?? '', first.env['SUPABASE_PUBLISHABLE_KEY'] ?? '')
    expect((await again.rpc('get_shared_resource', { share_id })).data).toMatchObject(flow)
    // The same bytes: the row of the first run, whose URL must still lead to them.
    await uploadAndLoad(second.env)
    // A part that does not end at the signal is killed after 3.5 s, so a stop takes 5 s at most on an idle machine.
    process.kill(JSON.parse(readFileSync(join(home, 'run', 'worker.json'), 'utf8')).pid, 'SIGSTOP')
    remember(home)
    await stop(second, 'SIGINT')
    expect(pidsOf(home)).toEqual([])

    const reset = run('scripts/reset.ts', home)
    expect(await ended(reset.child)).toBe(0)
    expect(reset.output()).toBe(`Deleted the data, logs and secrets of the local stack in ${home}.\n`)
    expect(readdirSync(home)).toEqual([])
  })

  test('after a kill -9 stops what was left behind, and says so; two homes start at the same moment', async () => {
    const home = newHome()
    const otherHome = newHome()
    const starting = [start(otherHome), start(home)] as const
    // Other programs take a port of each stack, before a part listens on it. The second one answers every request.
    const takePort = async (of: string, part: 'postgres' | 's3', thief: Server) => {
      const ports = () => JSON.parse(readFileSync(join(of, 'ports.json'), 'utf8'))
      while (!existsSync(join(of, 'ports.json'))) await sleep(5)
      const taken = ports()[part]
      thief.listen(taken, '127.0.0.1')
      return { isGivenUp: () => ports()[part] !== taken }
    }
    const thieves = [createServer(), createWebServer((_request, response) => response.end('{}'))] as const
    const takings = [takePort(otherHome, 'postgres', thieves[0]), takePort(home, 's3', thieves[1])]
    const [other, first] = await Promise.all(starting)
    for (const taking of takings) expect((await taking).isGivenUp()).toBe(true)
    for (const thief of thieves) thief.close()
    for (const { output } of [other, first])
      expect(output()).toContain('Another program took a port of the stack during the start')
    expect(other.env['SUPABASE_URL']).not.toBe(first.env['SUPABASE_URL'])
    const pids = remember(home).filter((pid) => pid !== first.child.pid)
    first.child.kill('SIGKILL')
    await new Promise((resolve) => first.child.once('exit', resolve))
    expect(readEnv(home)).toBeUndefined()
    for (const pid of pids) expect(isRunning(pid)).toBe(true)

    const second = await start(home)
    for (const part of ['postgres', 'postgrest', 'worker', 'sidecar', 'object-store']) {
      expect(second.output()).toMatch(new RegExp(`Stopped ${part} \\(pid \\d+\\), which an earlier start left running`))
    }
    for (const pid of pids) expect(isRunning(pid)).toBe(false)
    expect((await fetch(`${other.env['SUPABASE_URL']}/api/health`)).status).toBe(200)

    const third = run('scripts/start.ts', home)
    expect(await ended(third.child)).toBe(1)
    expect(third.output()).toMatch(
      /^Plinth is already running in .* \(pid \d+\): stop it, or choose another PLINTH_HOME\.\n$/,
    )
    const reset = run('scripts/reset.ts', home)
    expect(await ended(reset.child)).toBe(1)
  })

  test('a worker that crashes is started again, and Postgres stays up; a part that ends takes the rest with it, and is named', async () => {
    const home = newHome()
    const stack = await start(home)
    const pidOf = (name: string) => JSON.parse(readFileSync(join(home, 'run', `${name}.json`), 'utf8')).pid as number
    const postgres = pidOf('postgres')
    const worker = pidOf('worker')
    process.kill(worker, 'SIGKILL')
    const health = () => fetch(stack.env['WORKER_HEALTH_URL'] ?? '').then(({ status }) => status)
    await expect.poll(() => health().catch(() => 0)).toBe(200)
    expect(stack.output()).toContain('worker has ended (SIGKILL) and starts again in 1 s')
    expect([pidOf('postgres'), isRunning(postgres), pidOf('worker') === worker]).toEqual([postgres, true, false])
    await stop(stack)
    expect(pidsOf(home)).toEqual([])

    // As after a power failure: another program of the same user has the pid that the file of Postgres names.
    const { uid } = statSync(join(home, 'postgres/data'))
    const other = spawn('sleep', ['1000'], { uid, cwd: '/', stdio: 'ignore' })
    const stale = [other.pid, join(home, 'postgres/data'), 1_700_000_000, 5432, '', '127.0.0.1', '', '']
    writeFileSync(join(home, 'postgres/data/postmaster.pid'), stale.join('\n'))
    const second = await start(home).finally(() => other.kill())
    const postgrest = pidOf('postgrest')
    remember(home)
    process.kill(postgrest, 'SIGKILL')
    expect(await ended(second.child)).toBe(1)
    expect(second.output()).toContain('postgrest has ended (SIGKILL); its log: ')
    expect(pidsOf(home)).toEqual([])
  })

  test('npm run reset of a folder without a stack deletes and creates nothing, and says so', async () => {
    const home = join(newHome(), 'misspelled')
    const reset = run('scripts/reset.ts', home)
    expect(await ended(reset.child)).toBe(0)
    expect(reset.output()).toBe(`${home} holds no data of a local stack: nothing to delete.\n`)
    expect(existsSync(home)).toBe(false)
  })

  test('a busy port is one sentence', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const attempt = run('scripts/start.ts', newHome(), { POSTGRES_PORT: String(port) })
    expect(await ended(attempt.child)).toBe(1)
    expect(attempt.output()).toBe(
      `Port ${port} is not free: choose another POSTGRES_PORT, or leave it unset for any free one.\n`,
    )
    server.close()
  })

  test('one port for two parts is one sentence', async () => {
    const attempt = run('scripts/start.ts', newHome(), { PLINTH_PORT: '23456', S3_PORT: '23456' })
    expect(await ended(attempt.child)).toBe(1)
    expect(attempt.output()).toMatch(
      /^Port 23456 is not free: choose another S3_PORT, or leave it unset for any free one\.\n$/,
    )
  })

  test('a start that was killed while it made the database is made up for', async () => {
    const home = newHome()
    const first = run('scripts/start.ts', home)
    while (!existsSync(join(home, 'postgres/data.new/PG_VERSION'))) await sleep(5)
    first.child.kill('SIGKILL')
    await new Promise((resolve) => first.child.once('exit', resolve))
    const second = await start(home)
    expect(existsSync(join(home, 'postgres/data.new'))).toBe(false)
    expect(existsSync(join(home, 'postgres/password'))).toBe(false)
    await stop(second)
  })

  test.runIf(process.getuid?.() === 0)('a home that the Postgres user cannot enter is one sentence', async () => {
    const closed = newHome()
    chmodSync(closed, 0o700)
    const attempt = run('scripts/start.ts', join(closed, 'home'))
    expect(await ended(attempt.child)).toBe(1)
    expect(attempt.output()).toMatch(
      /(^|\n)Running as root, Postgres runs as user "\w+", who cannot enter .*\. Set PLINTH_HOME to a folder that every user may pass through\.\n$/,
    )
    expect(attempt.output()).toContain(`cannot enter ${closed}.`)
  })

  test('a full disk is one sentence', async () => {
    const home = newHome()
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=20m,mode=755', 'tmpfs', home]).status === 0
    // Where nothing may be mounted, what Postgres says of a full disk is still put into words.
    if (!mounted) {
      const error = new Error('could not extend file "base/5/2619": No space left on device')
      expect(explain(new Error('db/migrations/a.sql:1', { cause: error }), home)).toBe(
        `The disk that holds ${home} is full.`,
      )
      return
    }
    try {
      const attempt = run('scripts/start.ts', home)
      expect(await ended(attempt.child)).toBe(1)
      // Another stack of this machine may have the usual port, which is said first.
      expect(attempt.output()).toMatch(/(^|\n)The disk that holds .* is full: a new database needs 64 MB\.\n$/)
    } finally {
      spawnSync('umount', [home])
    }
  })

  test('a home that cannot be made is one sentence', async () => {
    const attempt = run('scripts/start.ts', '/etc/passwd/home')
    expect(await ended(attempt.child)).toBe(1)
    expect(attempt.output()).toMatch(
      /^The home \/etc\/passwd\/home cannot be used: .*\. Choose another PLINTH_HOME\.\n$/,
    )
  })
})

describe('on a running stack', () => {
  test('npm run token makes the user once, and a JWT that PostgREST takes; npm run demo plays every act', async () => {
    const home = newHome()
    const missing = run('scripts/token.ts', home, {}, ['--email', 'ana@example.com'])
    expect(await ended(missing.child)).toBe(2)
    const { env } = await start(home)
    const tokens: string[] = []
    for (const email of ['ana@example.com', 'Ana@Example.com']) {
      const { child, output } = run('scripts/token.ts', home, {}, ['--email', email])
      expect(await ended(child)).toBe(0)
      tokens.push(output().trim())
    }
    const profiles = tokens.map(async (token) => {
      const client = createClient(env['SUPABASE_URL'] ?? '', env['SUPABASE_ANON_KEY'] ?? '', {
        accessToken: async () => token,
      })
      return (await client.from('users').select('id, plan_id, credits').throwOnError()).data
    })
    const [first, second] = await Promise.all(profiles)
    expect(first).toEqual([{ id: expect.any(String), plan_id: 'free', credits: 10 }])
    expect(second).toEqual(first)
    const bad = run('scripts/token.ts', home, {}, ['--email', 'nobody'])
    expect(await ended(bad.child)).toBe(2)
    expect(bad.output()).toContain('--email needs an address. Example: npm run token -- --email ana@example.com')

    const demo = run('scripts/demo.ts', home)
    expect(await ended(demo.child), demo.output()).toBe(0)
    const [, megabytes, processes] = /needs (\d+) MB: the sum of PSS of its (\d+) processes/.exec(demo.output()) ?? []
    expect(Number(processes)).toBeGreaterThan(8)
    expect(Number(megabytes)).toBeGreaterThan(100)
    expect(demo.output()).toContain('Two seconds later: 404 share_not_found')
    expect(demo.output()).toContain('Cem enters the code, and is signed in')
    expect(demo.output()).toContain('Every system works as promised.')
    expect(demo.output()).toMatch(/Episode 2 +scenes ███ 3\/3 +images ███ 3\/3 +videos ███ 3\/3/)
    const picture = readFileSync(join(home, 'drama.svg'), 'utf8')
    expect(picture.match(/class="node"/g)).toHaveLength(28)
    expect(picture).not.toMatch(/https:|@import/)
  })
})
