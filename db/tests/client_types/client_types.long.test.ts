import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makePng } from '../../../scripts/local/gemini.ts'
import { type OwnStack, startOwnStack } from '../../../scripts/local/own_stack.ts'
import { tokenForEmail } from '../../../scripts/local/user.ts'
import { until } from '../../../scripts/testing/waiting.ts'
import { clientRoles, readSchema, type Schema, serviceRoles } from '../../../scripts/types/read_schema.ts'
import { listMistakes } from './mistakes.ts'
import { connect, type Recorded, type Stack, use } from './uses.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../../..')

let own: OwnStack
let stack: Stack
let project: string
let client: pg.Client
let schemas: { client: Schema; service: Schema }
let recorded: Recorded[]
let changed: Recorded[]

beforeAll(async () => {
  own = await startOwnStack('client-types')
  const env = (name: string) => own.env[name] ?? ''
  const token = await tokenForEmail(own.env, 'ana@example.com')
  client = new pg.Client(env('DATABASE_URL'))
  await client.connect()
  const form = new FormData()
  form.append('file', new File([new Uint8Array(makePng('icon'))], 'icon.png'))
  const uploaded = await fetch(`${env('SUPABASE_URL')}/api/assets`, { method: 'POST', body: form })
  const { assetId } = (await uploaded.json()) as { assetId: string }
  stack = {
    url: env('SUPABASE_URL'),
    anonKey: env('SUPABASE_ANON_KEY'),
    serviceKey: env('SUPABASE_SERVICE_ROLE_KEY'),
    token,
    iconId: assetId,
    photo: await uploadPhoto(client, 'ana@example.com'),
  }
  schemas = { client: await readSchema(client, clientRoles), service: await readSchema(client, serviceRoles) }
  recorded = await use(stack, wait)
  await fillRareTables(client)
  recorded.push(...(await readRows(client, 'Tables', schemas.client)))
  recorded.push(...(await readRows(client, 'ServiceTables', schemas.service)))
  changed = recorded.flatMap(change)
  project = makeProject()
})
afterAll(async () => {
  await client?.end()
  await own?.stop()
  if (project !== undefined) rmSync(project, { recursive: true, force: true })
})

/** A photo as Storage records it, and a studio. */
async function uploadPhoto(client: pg.Client, email: string): Promise<string> {
  await client.query(`
    update app.settings set storage_url = 'https://x.test/storage/v1' where storage_url is null;
    insert into job_types (name) values ('process_image'), ('analyze_face') on conflict do nothing;
    insert into storage.buckets (id, name) values ('user_uploads', 'user_uploads') on conflict do nothing
  `)
  const { rows } = await client.query<{ name: string }>(
    `insert into storage.objects (bucket_id, name, owner_id, metadata)
     select 'user_uploads', u.id || '/photo.jpg', u.id, '{"eTag": "e1", "size": 1000, "mimetype": "image/jpeg"}'
     from auth.users as u
     where u.email = $1
     returning name`,
    [email],
  )
  return rows[0]?.name ?? ''
}

/** Rows that the story has no reason to make. */
async function fillRareTables(client: pg.Client): Promise<void> {
  await client.query(`
    insert into job_types (name) values ('typed');
    select app.ensure_lanes(u.id, array['typed']), app.lock_credits(array[u.id]) from users as u;
    create temporary table runs on commit drop as
      select u.id as user_id, app.submit_run('{"key": "a", "type": "typed"}', u.id, null) as id from users as u;
    select app.place_hold(r.user_id, r.id, 1, 'A portrait.') from runs as r;
    select app.capture_hold(r.id) from runs as r;
    select app.notify(u.id, 'typed', 'Title', 'Body') from users as u;
    insert into generations (user_id, tool_key, kind, status, tool_parameters, url, result, credits, completed_at)
      select u.id, 'typed', k.kind, 'completed', '{"strength": 1, "bold": true}', k.url, k.result::jsonb, 1, now()
      from users as u, (values ('image', 'https://x.test/a.png', null), ('analysis', null, '{"a": 1}')) as k (kind, url, result);
    insert into payments (source, kind, status, amount_minor, currency) values ('callback', 'payment', 'parked', 100, 'EGP');
  `)
}

async function wait<T>(read: () => PromiseLike<T | undefined>): Promise<T> {
  const found: T[] = []
  await until('the stack answers what the story waits for', async () => {
    const answer = await read()
    return answer !== undefined && found.push(answer) > 0
  })
  return found[0] as T
}

/** Rows of every table that these roles read, with the columns that they read. */
async function readRows(client: pg.Client, type: string, schema: Schema): Promise<Recorded[]> {
  const rows: Recorded[] = []
  for (const { name, columns } of schema.relations.filter(({ kind }) => kind !== 'composite')) {
    const readable = columns.filter(({ canRead }) => canRead).map((column) => pg.escapeIdentifier(column.name))
    const { rows: found } = await client.query<{ row: unknown }>(
      `select to_json(r) as row from (select ${readable.join()} from public.${name} limit 3) as r`,
    )
    rows.push(...found.map(({ row }) => ({ type: `${type}<'${name}'>`, document: row })))
  }
  return rows
}

/** A project of its own, which has installed plinth and supabase-js. */
function makeProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-client-'))
  const installed = join(folder, 'node_modules/plinth')
  for (const file of ['package.json', 'db/client_types.ts', 'db/types.ts']) {
    mkdirSync(dirname(join(installed, file)), { recursive: true })
    cpSync(join(root, file), join(installed, file))
  }
  for (const name of ['@supabase', '@types'])
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  for (const file of ['uses.ts', 'mistakes.ts']) {
    // This project allows no import of a .ts file, as most do.
    const text = readFileSync(join(import.meta.dirname, file), 'utf8').replaceAll("./uses.ts'", "./uses.js'")
    writeFileSync(join(folder, file), text)
  }
  return folder
}

const strict = {
  target: 'es2022',
  lib: ['es2022', 'dom', 'dom.iterable'],
  noEmit: true,
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: false,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  skipLibCheck: false,
}

const compilers = [
  { name: 'TypeScript 7', version: /^7\./, find: async () => join(root, 'node_modules/typescript/bin/tsc') },
  { name: 'TypeScript 5.9', version: /^5\.9\./, find: findOldCompiler },
]

/** npm fetches TypeScript 5.9, because two dependencies with a program tsc would fight for its name. */
async function findOldCompiler(): Promise<string> {
  const folder = join(root, 'node_modules/.cache/plinth-typescript-5.9.3')
  const program = join(folder, 'node_modules/typescript/bin/tsc')
  if (!existsSync(program)) {
    const flags = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    // The registry may be slow or away for a minute.
    const attempt = async (left: number): Promise<unknown> => {
      try {
        return await run('npm', ['install', '--prefix', folder, ...flags, 'typescript@5.9.3'], { timeout: 120_000 })
      } catch (error) {
        if (left === 0) throw error
        await sleep(10_000)
        return attempt(left - 1)
      }
    }
    await attempt(4)
  }
  return program
}

type Fault = { file: string; line: number; code: string; text: string }

/**
 * Compiles files of the project and returns the faults. Not those inside of supabase-js: its declarations differ from those
 * of the latest browsers, which TypeScript 7 has.
 */
async function compile(program: string, files: string[], options: object): Promise<Fault[]> {
  const config = join(project, 'tsconfig.json')
  writeFileSync(config, JSON.stringify({ compilerOptions: { ...strict, ...options }, files }))
  const { stdout } = await run(process.execPath, [program, '-p', config, '--pretty', 'false'], {
    cwd: project,
    maxBuffer: 2 ** 26,
  }).catch((error: { stdout: string }) => error)
  const all = [...stdout.matchAll(/^(.+?)\((\d+),\d+\): error (TS\d+): (.*)$/gm)]
  const own = all.filter(([, file = '']) => !file.includes('node_modules/@supabase/'))
  return own.map(([text, file = '', line, code = '']) => ({
    file,
    line: Number(line),
    code,
    text: text.slice(0, 1000),
  }))
}

describe.each(compilers)('with $name, in a strict project outside the repository', ({ version, find }) => {
  let program: string
  let faults: Fault[]
  const of = (file: string) => faults.filter((fault) => fault.file === file)
  const mistakes = readFileSync(join(import.meta.dirname, 'mistakes.ts'), 'utf8')

  // A compiler needs half of its time for supabase-js, so one run compiles all files.
  beforeAll(async () => {
    program = await find()
    const { stdout } = await run(process.execPath, [program, '--version'])
    expect(stdout.replace('Version ', '')).toMatch(version)
    writeFileSync(join(project, 'bare.ts'), mistakes.replaceAll('@ts-expect-error', 'not ignored:'))
    writeFileSync(join(project, 'documents.ts'), describeDocuments(recorded))
    writeFileSync(join(project, 'changed.ts'), describeDocuments(changed))
    const files = ['uses.ts', 'mistakes.ts', 'bare.ts', 'documents.ts', 'changed.ts']
    faults = await compile(program, files, { module: 'nodenext' })
  }, 900_000)

  test('an app compiles, and each mistake is an error', () => {
    expect(faults.filter(({ file }) => file !== 'bare.ts' && file !== 'changed.ts')).toEqual([])
  })

  test('an app of a bundler compiles', async () => {
    const bundler = { module: 'esnext', moduleResolution: 'bundler' }
    expect(await compile(program, ['uses.ts', 'mistakes.ts'], bundler)).toEqual([])
  })

  test('each mistake is the error that it is said to be', () => {
    const expected = [...mistakes.split('\n').entries()].flatMap(([index, line]) => {
      const [, codes] = /@ts-expect-error (TS\d+(?: or TS\d+)?): /.exec(line) ?? []
      return codes === undefined ? [] : [{ line: index + 2, codes: codes.split(' or ') }]
    })
    expect(expected.length).toBeGreaterThan(40)
    expect(of('bare.ts').map(({ line }) => line)).toEqual(expected.map(({ line }) => line))
    expect(of('bare.ts').filter(({ code }, index) => !expected[index]?.codes.includes(code))).toEqual([])
  })

  test('the documents of the database have the types that are written', () => {
    expect(recorded.length).toBeGreaterThan(80)
    expect(of('documents.ts')).toEqual([])
  })

  test('a document with a field more, less or other does not', () => {
    const refused = new Set(of('changed.ts').map(({ line }) => line))
    const lines = [...describeDocuments(changed).split('\n').entries()]
    expect(changed.length).toBeGreaterThan(200)
    expect(lines.filter(([index, line]) => line.startsWith('void ') && !refused.has(index + 1))).toEqual([])
  })
})

/** Returns a document with a field more, one less, and one of another type. */
function change({ type, document }: Recorded): Recorded[] {
  const whole = document as Record<string, unknown>
  const [first] = Object.keys(whole).filter((key) => typeof whole[key] === 'string')
  // An export has keys that no type lists.
  if (Array.isArray(document) || first === undefined || type === 'Export') return []
  const { [first]: removed, ...less } = whole
  return [{ ...whole, surplus: removed }, less, { ...whole, [first]: 7 }].map((one) => ({ type, document: one }))
}

/** One line per document. */
function describeDocuments(documents: Recorded[]): string {
  const lines = documents.map(({ type, document }) => `void (${JSON.stringify(document)} satisfies ${type})`)
  return `import type * as types from 'plinth/client_types'
import type {
  Answer, CharacterCard, Drama, DramaList, Export, Flow, Generation, GenerationList, JobTree, PublicShareList, Session, ShareLink, Tables, Task,
  TaskList, TemplateManifest,
} from 'plinth/client_types'

type Service = types.ServiceDatabase['public']
type ServiceAnswer<Name extends keyof Service['Functions']> = Service['Functions'][Name]['Returns']
type ServiceTables<Name extends keyof (Service['Tables'] & Service['Views'])> = (Service['Tables'] & Service['Views'])[Name]['Row']

${lines.join('\n')}
export type Used = [
  Answer<'cancel_job'>, CharacterCard, Drama, DramaList, Export, Flow, Generation, GenerationList, JobTree,
  PublicShareList, Session, ShareLink,
  Tables<'users'>, Task, TaskList, TemplateManifest, ServiceAnswer<'cancel_job'>, ServiceTables<'users'>,
]
`
}

test('every table, and every function that answers JSON, gave a document', () => {
  const types = new Set(recorded.map(({ type }) => type))
  const tables = schemas.client.relations
    .filter(({ kind }) => kind !== 'composite')
    .map(({ name }) => `Tables<'${name}'>`)
  expect(tables.filter((type) => !types.has(type))).toEqual([])
})

describe('the stack refuses what the compiler refuses', () => {
  test('each mistake', async () => {
    const answers = []
    for (const [refusal, make] of listMistakes(connect(stack))) {
      if (refusal === '') continue
      const { error } = await make()
      answers.push({ refusal, given: error && (error.code.startsWith('PT') ? error.details : error.code) })
    }
    expect(answers.filter(({ refusal, given }) => refusal !== given)).toEqual([])
    expect(answers.length).toBeGreaterThan(25)
  })
})
