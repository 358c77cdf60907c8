import type { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'

// Requests that no client should send, through PostgREST: each is refused with a status below 500, and changes nothing.
let database: TestDatabase
let db: Client
let api: Api
let token: string
let id: string
const ana = { id: crypto.randomUUID(), email: 'ana@example.com' }

beforeAll(async () => {
  database = await createDatabase()
  db = await database.connect()
  await db.query('insert into auth.users (id, email) values ($1, $2)', [ana.id, ana.email])
  // Many bad requests of one user are sent here at the same moment.
  await db.query('update app.settings set requests_at_once = 0, task_writes_per_minute = 1000000')
  api = await startApi(database)
  token = await api.tokenFor(ana)
  id = (await db.query(`insert into tasks (user_id, mandate) values ($1, 'm') returning id`, [ana.id])).rows[0].id
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

async function send(method: string, path: string, body: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${api.url}/rest/v1/${path}`, {
    method,
    headers: { apikey: api.anonKey, authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body,
  })
  return { status: response.status, text: await response.text() }
}

/** Texts of JSON values that no parameter accepts, and some that are no JSON. */
const odd = [
  'null',
  '{}',
  '[]',
  '[[[[1]]]]',
  '{"a": {"b": {}}}',
  '""',
  '"\\u0000"',
  '"\\ud83d"',
  '"\\udc00x"',
  'NaN',
  '-Infinity',
  '2147483648',
  '-2147483649',
  '9007199254740993',
  '1e400',
  '1.5',
  'true',
  `"${'x'.repeat(1_000_000)}"`,
  `${'['.repeat(2000)}${']'.repeat(2000)}`,
  `"${'\u00e9'.repeat(20_001)}"`,
]
const uuids = ['', 'x', `${'0'.repeat(36)}`, '00000000-0000-4000-8000-00000000000g']

test('refuses odd values of every parameter without an error of the server', async () => {
  const requests = [
    ...odd.flatMap((value) => [
      ['POST', 'tasks', `{"mandate": ${value}, "max_ticks": 0}`],
      ['POST', 'tasks', `{"mandate": "m", "max_ticks": ${value === 'null' ? '0' : value}}`],
      ['POST', 'tasks', `{"mandate": "", "correlation_id": ${value}}`],
      ['POST', 'tasks', `{"mandate": "m", "id": ${value === 'null' ? '5' : value}}`],
      ['POST', 'tasks', `{"mandate": "m", "user_id": ${value === 'null' ? '5' : value}}`],
      ['POST', 'tasks', `{"mandate": "m", "status": ${value}}`],
      ['POST', 'rpc/submit_task', `{"mandate": ${value}, "max_ticks": 501}`],
      ['POST', 'rpc/submit_task', `{"mandate": "m", "max_ticks": ${value === 'null' ? '-1' : value}}`],
      ['POST', 'rpc/submit_task', `{"mandate": "", "correlation_id": ${value}}`],
      ['POST', 'rpc/submit_task', value],
      ['POST', 'rpc/answer_task', `{"id": "${id}", "tick": 1, "answer": ${value}}`],
      ['POST', 'rpc/answer_task', `{"id": "${id}", "tick": ${value}, "answer": 1}`],
      ['POST', 'rpc/cancel_task', `{"id": ${value}}`],
      ['POST', 'rpc/retry_task', `{"id": ${value}}`],
      ['POST', 'rpc/list_tasks', `{"limit": ${value}}`],
      ['POST', 'rpc/list_tasks', `{"limit": 0, "before": ${value}}`],
      ['PATCH', `tasks?id=eq.${id}`, `{"mandate": ${value}, "max_ticks": 0}`],
      ['PATCH', `tasks?id=eq.${id}`, `{"max_ticks": ${value}}`],
    ]),
    ['POST', 'tasks', '{}'],
    ...uuids.flatMap((uuid) => [
      ['POST', 'rpc/cancel_task', `{"id": "${uuid}"}`],
      ['PATCH', `tasks?id=eq.${uuid}`, '{"max_ticks": 5}'],
      ['DELETE', `tasks?id=eq.${uuid}`, '{}'],
    ]),
  ] as [string, string, string][]
  const answers: string[] = []
  for (let at = 0; at < requests.length; at += 20) {
    const some = requests.slice(at, at + 20)
    const found = await Promise.all(some.map((request) => send(...request)))
    answers.push(
      ...found.flatMap(({ status, text }, index) =>
        status >= 400 && status < 500
          ? []
          : [`${some[index]?.join(' ').slice(0, 120)}: ${status} ${text.slice(0, 120)}`],
      ),
    )
  }
  expect(answers).toEqual([])
  const { rows } = await db.query('select id, mandate, max_ticks, status from tasks')
  expect(rows).toEqual([{ id, mandate: 'm', max_ticks: 50, status: 'pending' }])
  expect((await db.query('select from app.runs')).rowCount).toBe(0)
})

test('keeps a text as the client sent it', async () => {
  const mandate = `${'😀'.repeat(10)}\u202e"quotes" \\n é`
  const { status, text } = await send('POST', 'rpc/submit_task', JSON.stringify({ mandate }))
  expect([status, JSON.parse(text).mandate]).toEqual([200, mandate])
})
