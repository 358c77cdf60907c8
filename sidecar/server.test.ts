import pg from 'pg'
import { beforeEach, expect, test } from 'vitest'
import { spacesEnv } from '../scripts/local/services.ts'
import { createDb } from '../worker/shared/db.ts'
import { createLogger } from '../worker/shared/log.ts'
import { createSpaces } from '../worker/shared/object_store.ts'
import { parseConfig } from './config.ts'
import { buildServer } from './server.ts'

const lines: string[] = []
beforeEach(() => void lines.splice(0))
// Nothing listens on port 1.
const db = createDb(new pg.Pool({ connectionString: 'postgres://sidecar@127.0.0.1:1/postgres' }))
const options = {
  db,
  store: createSpaces(parseConfig({ DATABASE_URL: 'postgres://h/d', ASSETS_CDN_URL: 'http://h', ...spacesEnv(1) })),
  logger: createLogger('sidecar', 'warn', { write: (line) => void lines.push(line) }),
  corsOrigins: ['https://app.example'],
  cdnUrl: 'http://127.0.0.1:1/bucket',
  uploadsAtOnce: 1,
  uploadTimeoutMs: 1000,
  jwtSecret: undefined,
}
const server = buildServer(options)
server.get('/api/broken', async () => {
  throw new Error('password s3cret')
})
const circle = new Error('x'.repeat(50_000_000))
circle.cause = Object.assign(new Error('connect', { cause: circle }), { code: 'ECONNREFUSED' })
const thrown: unknown[] = [circle, null, undefined, Symbol('x'), 'text']
server.get<{ Params: { index: number } }>('/api/throw/:index', async ({ params }) => {
  throw thrown[params.index]
})
server.post('/api/echo', async (request) => request.body)

test('without a database it is up, and says that it is not available', async () => {
  const response = await server.inject('/api/health')
  expect([response.statusCode, response.json()]).toEqual([
    503,
    { status: 'unavailable', reason: 'The database does not answer.' },
  ])
})

test('an unknown route has the shape of any other error', async () => {
  const response = await server.inject('/api/nothing?token=s3cret')
  expect([response.statusCode, response.json()]).toEqual([
    404,
    {
      code: 'PT404',
      details: 'route_not_found',
      message: 'The sidecar has no route GET /api/nothing.',
      hint: 'Upload files with POST /api/assets.',
    },
  ])
})

test.each([
  [400, 'request_invalid', 'Correct the request.', 'application/json', '{"half'],
  [413, 'request_too_large', 'Send less at once.', 'application/json', `"${'x'.repeat(2 ** 20)}"`],
  [415, 'media_type_unsupported', 'Correct the content type.', 'text/strange', 'x'],
])('a request that cannot be read is a %i, %s', async (status, details, hint, type, payload) => {
  const headers = { 'content-type': type }
  const response = await server.inject({ method: 'POST', url: '/api/echo', headers, payload })
  expect(response.statusCode).toBe(status)
  expect(response.json()).toEqual({ code: `PT${status}`, details, message: expect.any(String), hint })
})

test('a path that cannot be decoded is a 400', async () => {
  const response = await server.inject('/api/%zz')
  expect(response.json()).toMatchObject({ code: 'PT400', details: 'request_invalid' })
})

test('an internal error does not show its reason', async () => {
  const response = await server.inject('/api/broken')
  expect(response.json()).toMatchObject({ code: 'PT500', details: 'internal_error' })
  expect(response.body).not.toMatch(/s3cret|stack|node_modules/)
})

test('a flood of refused requests logs one line for each kind, and counts the others', async () => {
  const flooded = buildServer({
    ...options,
    logger: createLogger('sidecar', 'info', { write: (line) => void lines.push(line) }),
  })
  flooded.get('/api/broken', async () => {
    throw new Error('broken')
  })
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: 50 }, () => flooded.inject({ method: 'POST', url: '/api/nothing' })))
  await flooded.inject('/api/nothing')
  await Promise.all(Array.from({ length: 20 }, () => flooded.inject('/api/broken')))
  // Writes the last lines, which otherwise wait for the end of their second.
  await flooded.close()
  const seconds = (performance.now() - startedAt) / 1000
  const read = (kind: string) =>
    lines
      .map((line) => JSON.parse(line))
      .filter(({ msg, method, status }) => [msg, `${method} ${status}`].includes(kind))
  for (const [kind, requests] of [
    ['POST 404', 50],
    ['GET 404', 1],
    ['GET 500', 20],
    ['Request failed', 20],
  ] as const) {
    const logged = read(kind).reduce((sum, { left_out = 0 }) => sum + 1 + left_out, 0)
    expect(logged, kind).toBe(requests)
    expect(read(kind).length, kind).toBeLessThan(3 + seconds)
  }
})

test.each([
  ['an error with a circle of causes and 50 MB', 0, { cause: { message: 'connect', code: 'ECONNREFUSED' } }],
  ['null', 1, {}],
  ['undefined', 2, {}],
  ['a symbol', 3, {}],
  ['a text', 4, {}],
])('%s is an internal error, with one bounded line of the log', async (_what, index, err) => {
  const response = await server.inject(`/api/throw/${index}`)
  expect(response.json()).toMatchObject({ code: 'PT500', details: 'internal_error' })
  const failed = lines.filter((line) => line.includes('"Request failed"'))
  expect(failed).toHaveLength(1)
  expect(failed[0]?.length).toBeLessThan(40_000)
  expect(JSON.parse(failed[0] ?? '')).toMatchObject({ err })
})
