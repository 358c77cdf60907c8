import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../testing/database.ts'
import { readComment } from './api_page.ts'
import { root } from './pages.ts'

const page = readFileSync(join(root, 'docs/api.md'), 'utf8')
/** The line below the heading of a function or a table: how to call it, and who may. */
const functions = [...page.matchAll(/^### (\w+)\n\n(GET or POST|POST) `\/rest\/v1\/rpc\/\w+` · (.+)$/gm)].map(
  ([, name = '', methods = '', callers = '']) => ({ name, methods, callers }),
)
const tables = [...page.matchAll(/^### Table (\w+)\n\n`\/rest\/v1\/\w+` · (.+)$/gm)].map(
  ([, name = '', rights = '']) => ({
    name,
    rights,
  }),
)

let database: TestDatabase
let api: Api
let token: string
beforeAll(async () => {
  database = await createDatabase()
  api = await startApi(database)
  const client = await database.connect()
  const user = { id: crypto.randomUUID(), email: 'ana@example.com' }
  await client.query('insert into auth.users (id, email) values ($1, $2)', [user.id, user.email])
  token = await api.tokenFor(user)
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

test('lists the functions and tables that PostgREST describes, and no others', async () => {
  const paths = new Set<string>()
  for (const key of [api.anonKey, token, api.serviceKey]) {
    const answer = await fetch(`${api.url}/rest/v1/`, {
      headers: { apikey: api.anonKey, authorization: `Bearer ${key}` },
    })
    for (const path of Object.keys(((await answer.json()) as { paths: object }).paths)) paths.add(path)
  }
  const listed = ['/', ...functions.map(({ name }) => `/rpc/${name}`), ...tables.map(({ name }) => `/${name}`)]
  expect(listed.sort()).toEqual([...paths].sort())
})

/** The commands of the page, without the first block, which sets the variables. */
const commands = [
  ...page.matchAll(/^curl "\$\{(AS_USER|AS_SERVER)\[@\]\}" "\$SUPABASE_URL(\/rest\/v1\/[^"]+)"(?: -d '([^']*)')?$/gm),
].map(([, caller = '', path = '', body]) => ({ caller, path, body }))

async function send({
  caller,
  path,
  body,
}: (typeof commands)[number]): Promise<{ status: number; code: string; details: string }> {
  const headers = {
    apikey: api.anonKey,
    authorization: `Bearer ${caller === 'AS_SERVER' ? api.serviceKey : caller === 'AS_USER' ? token : api.anonKey}`,
    'content-type': 'application/json',
  }
  const answer = await fetch(`${api.url}${path}`, body === undefined ? { headers } : { method: 'POST', headers, body })
  const { code = '', details = '' } = answer.ok ? {} : ((await answer.json()) as { code?: string; details?: string })
  return { status: answer.status, code, details }
}

test('every command of the page finds its function or its table, and its caller may use it', async () => {
  expect(commands.length).toBe(functions.length + tables.length)
  const refused = []
  for (const command of commands) {
    const { status, code } = await send(command)
    const isFound = !code.startsWith('PGRST') && code !== '42501' && status !== 401 && status < 500
    if (!isFound) refused.push({ ...command, status, code })
  }
  expect(refused.filter(({ code }) => code !== 'PT503')).toEqual([])
})

test('functions with GET accept a GET, and those of users without GET refuse it', async () => {
  const wrong = []
  for (const { name, methods, callers } of functions) {
    const command = commands.find(({ path }) => path.split('?')[0] === `/rest/v1/rpc/${name}`)
    if (command === undefined || callers === 'servers') continue
    const query = new URLSearchParams(
      Object.entries(JSON.parse(command.body ?? '{}')).map(([key, value]): [string, string] => [
        key,
        typeof value === 'object' ? JSON.stringify(value) : String(value),
      ]),
    )
    const path = command.body === undefined ? command.path : `${command.path}?${query}`
    const { status } = await send({ ...command, path, body: undefined })
    if ((status === 405) === (methods === 'GET or POST')) wrong.push({ path, status })
  }
  expect(wrong).toEqual([])
})

test('functions of users ask an anonymous caller to sign in, and functions of anyone do not', async () => {
  const wrong = []
  for (const { name, callers } of functions) {
    const command = commands.find(({ path }) => path.split('?')[0] === `/rest/v1/rpc/${name}`)
    if (command === undefined || callers === 'servers') continue
    const { details } = await send({ ...command, caller: 'ANYONE' })
    if ((details === 'not_signed_in') !== callers.startsWith('users')) wrong.push({ name, callers, details })
  }
  expect(wrong).toEqual([])
})

test('the pages name the tables of which a user may not select every column', () => {
  const partly = commands
    .filter(({ caller, path }) => caller === 'AS_USER' && path.includes('?select='))
    .map(({ path }) => `\`${path.split('?')[0]?.split('/').at(-1)}\``)
  for (const name of ['errors.md', 'guide/client.md']) {
    const line = readFileSync(join(root, 'docs', name), 'utf8')
      .split('\n')
      .find((one) => /^\| `42501` \| 403 \|/.test(one))
    const [list = ''] = /(?<=select\('\*'\)`[^`]*)`\w+`.*?(?=[;)])/.exec(line ?? '') ?? []
    expect(list.match(/`\w+`/g)?.sort()).toEqual(partly.sort())
  }
})

test('tells the text of a comment from its errors', () => {
  const comment = `Makes a thing.

size: 1 to 10; null: any. name: of the thing, in words that are so long that the line of the comment is
full. Returns { name, size }.
It stays.
401 not_signed_in. 409 thing_taken: the name belongs to another thing. 422 size_invalid. From origin 002.`
  expect(readComment(comment)).toEqual({
    text: [
      'Makes a thing.',
      '`size`: 1 to 10; `null`: any. `name`: of the thing, in words that are so long that the line of the comment is full.',
      'Returns `{ name, size }`.',
      'It stays.',
    ],
    errors: ['401 `not_signed_in`.', '409 `thing_taken`: the name belongs to another thing.', '422 `size_invalid`.'],
  })
})

test('keeps JSON of several lines and the filter of a subscription in one piece', () => {
  const comment = `Makes a thing.

Returns { id,
parts: [{ name }] }. Subscribe with the filter user_id=eq.<id>.`
  expect(readComment(comment).text).toEqual([
    'Makes a thing.',
    'Returns `{ id, parts: [{ name }] }`. Subscribe with the filter `user_id=eq.<id>`.',
  ])
})

test.each([
  ['share_card', "| `kind` | `character`, `scenario` | `'character'` | character (default) or scenario. |"],
  ['create_api_key', '| `scopes` | list of `read`, `write` |'],
  ['save_drama_complete', '| `drama` | json | required |'],
  ['Table plans', '| `id` | text | read; servers: insert (required), update |'],
  ['Table dramas', '| `owner_id` | uuid | read; servers: insert (required) |'],
  ['Table dramas', '| `premise` | text | read, insert (required) |'],
])('says of %s: %s', (heading, row) => {
  const [, section = ''] = page.split(`\n### ${heading}\n`)
  expect(section.slice(0, section.indexOf('\n### '))).toContain(row)
})
