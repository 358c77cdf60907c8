import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { createClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findNonNumber, parseExactly } from './dramas/exact_json.ts'
import { mapDrama } from './dramas/map_drama.ts'
import { systemEnv } from './local/process.ts'
import { type Api, createDatabase, startApi, type TestDatabase } from './testing/database.ts'
import { startTestStore, type TestStore } from './testing/store.ts'

let database: TestDatabase
let api: Api
let store: TestStore
const home = mkdtempSync(join(tmpdir(), 'plinth-import-'))
const owner = crypto.randomUUID()

beforeAll(async () => {
  database = await createDatabase()
  const client = await database.connect()
  await client.query('insert into auth.users (id, email) values ($1, $2)', [owner, 'ana@example.com'])
  ;[api, store] = await Promise.all([startApi(database), startTestStore()])
})
afterAll(async () => {
  await Promise.all([api.stop(), store.stop()])
  await database.drop()
  rmSync(home, { recursive: true, force: true })
})

/** The command as a person runs it; its end, whatever that is. */
async function run(args: string[], env: Record<string, string> = {}) {
  return promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, 'dramas_import.ts'), '--bucket', 'plinth-assets', '--owner', owner, ...args],
    {
      cwd: home,
      env: {
        ...systemEnv(),
        PLINTH_HOME: home,
        S3_ENDPOINT: `http://127.0.0.1:${store.port}`,
        S3_ACCESS_KEY_ID: 'S3RVER',
        S3_SECRET_ACCESS_KEY: 'S3RVER',
        SUPABASE_URL: api.url,
        SUPABASE_SERVICE_ROLE_KEY: api.serviceKey,
        ...env,
      },
    },
  ).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  )
}

const put = (key: string, text: string) =>
  store.store.put({
    key,
    open: () => Readable.from([Buffer.from(text)]),
    length: Buffer.byteLength(text),
    contentType: 'application/json',
    cacheControl: 'no-cache',
  })

const old = {
  id: 'drama_1',
  title: 'The last light',
  premise: 'A lighthouse',
  coverUrl: 'https://r2.example.com/dramas/drama_1/cover.png',
  createdAt: '2025-01-01T00:00:00Z',
  characters: [{ id: 'char_1', name: 'Mira', imageUrl: 'https://r2.example.com/mira.png', age: 60 }],
  episodes: [
    {
      id: 'ep_1',
      title: 'One',
      scenes: [
        {
          id: 'sc_1',
          dialogue: [{ character: 'Mira', line: 'Is somebody there?' }],
          characters: ['Mira'],
          image_url: 'r2://bucket/relative.png',
          video_url: 'https://r2.example.com/1.mp4',
          duration: 8,
        },
      ],
    },
  ],
}

describe('mapping', () => {
  test('maps known fields to their places, and all others to extra', () => {
    const mapped = mapDrama('drama_1', old, owner)
    expect(mapped).toEqual(mapDrama('drama_1', old, owner))
    expect(mapped).toMatchObject({
      external_id: 'drama_1',
      title: 'The last light',
      cover_url: old.coverUrl,
      created_at: '2025-01-01T00:00:00.000Z',
      characters: [
        { name: 'Mira', portrait_url: 'https://r2.example.com/mira.png', extra: { age: 60, original_id: 'char_1' } },
      ],
      episodes: [
        {
          scenes: [
            {
              text: 'Mira: Is somebody there?',
              image_url: null,
              video_url: 'https://r2.example.com/1.mp4',
              extra: { duration: 8, image_url: 'r2://bucket/relative.png', original_id: 'sc_1' },
            },
          ],
        },
      ],
    })
    const [character] = mapped['characters'] as { id: string }[]
    expect(mapped['episodes']).toMatchObject([{ scenes: [{ character_ids: [character?.id] }] }])
    expect(character?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(mapDrama('drama_1', old, crypto.randomUUID())['id']).not.toBe(mapped['id'])
    const id = crypto.randomUUID()
    expect(mapDrama(id, { title: 'Kept id' }, owner)['id']).toBe(id)
  })

  test.each([[null], [[]], ['x'], [1]])('refuses %j, which is not a drama', (source) => {
    expect(() => mapDrama('x', source, owner)).toThrow('drama.json must be a JSON object')
  })

  test.each([[{}], [{ id: 'drama_1' }], [{ version: 1, scenes: [] }]])(
    'refuses %j, which has no field of a drama',
    (source) => {
      expect(() => mapDrama('x', source, owner)).toThrow('drama.json has no field of a drama')
    },
  )

  test('never gives a part without an id the id of another part', () => {
    const some = [{ id: 1 }, { id: 2 }, { id: '#4' }, {}, { id: '2/scenes/1' }]
    const mapped = mapDrama(
      'x',
      { characters: some, episodes: [{ id: 2, scenes: some }, { id: 1 }], scenes: [{}] },
      owner,
    )
    const ids: string[] = []
    JSON.stringify(mapped, (key, value) => {
      if (key === 'id') ids.push(value)
      return value
    })
    expect(ids).toHaveLength(1 + 5 + 3 + 5 + 1)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('keeps a number as it is written, and reads it as the same id in every notation', () => {
    const text =
      '{"title":"x","seed":12345678901234567890,"rate":1.0,"characters":[{"id":9007199254740993,"name":"M"}]}'
    const mapped = JSON.stringify(mapDrama('x', parseExactly(text), owner))
    expect(mapped).toContain('"seed":12345678901234567890,"rate":1.0')
    expect(mapped).toContain('"original_id":"9007199254740993"')
    const named =
      '{"title":"x","characters":[{"id":9007199254740993,"name":"M"},{"id":1.0,"name":"N"}],' +
      '"scenes":[{"character_ids":[9007199254740993,1]},{"characters":[{"id":1.0}]}]}'
    const { characters, episodes } = mapDrama('x', parseExactly(named), owner) as {
      characters: { id: string }[]
      episodes: { scenes: { character_ids: string[] }[] }[]
    }
    const ids = characters.map(({ id }) => id)
    expect(episodes[0]?.scenes.map(({ character_ids }) => character_ids)).toEqual([ids, [ids[1]]])
  })

  test('leaves out null in lists, and reads a time in any notation of a number', () => {
    const text =
      '{"title":"x","createdAt":1735689600.0,"characters":[null,{"name":"M"}],"episodes":[null,{"scenes":[null,"A"]}]}'
    expect(mapDrama('x', parseExactly(text), owner)).toMatchObject({
      created_at: '2025-01-01T00:00:00.000Z',
      characters: [{ name: 'M' }],
      episodes: [{ scenes: [{ text: 'A' }] }],
    })
  })

  test('reads a reference as an id before it reads it as a name', () => {
    const characters = [
      { id: 'A', name: 'B' },
      { id: 'B', name: 'A' },
    ]
    const mapped = mapDrama('x', { characters, scenes: [{ characters: ['A'] }] }, owner)
    const [first] = mapped['characters'] as { id: string }[]
    expect(mapped['episodes']).toMatchObject([{ scenes: [{ character_ids: [first?.id] }] }])
  })

  test('keeps the extra of a drama that Plinth wrote', () => {
    expect(mapDrama('x', { title: 'x', extra: { a: 1 }, b: 2 }, owner)['extra']).toEqual({ a: 1, b: 2 })
  })

  test('loses nothing of a drama in an unusual form', () => {
    const odd = {
      genres: ['a', 'b'],
      characters: { m: { name: 'Mira' } },
      scenes: ['Night.'],
      episodes: 'none',
      title: 7,
    }
    expect(mapDrama('x', odd, owner)).toMatchObject({
      genre: 'a\nb',
      title: '',
      characters: [{ name: 'Mira', extra: { original_id: 'm' } }],
      episodes: [{ scenes: [{ text: 'Night.' }] }],
      extra: { title: 7, episodes: 'none' },
    })
  })
})

test('imports valid dramas, reports why it refuses others, and can be repeated', async () => {
  await put('dramas/drama_1/drama.json', JSON.stringify(old))
  await put('dramas/drama_1/cover.png', 'no JSON at all')
  const uuid = crypto.randomUUID()
  await put(`dramas/${uuid}/drama.json`, JSON.stringify({ title: 'Kept id' }))
  await put('dramas/ünï 2/drama.json', JSON.stringify({ title: 'Odd name' }))
  await put('dramas/broken/drama.json', '{"title": ')
  await put('dramas/list/drama.json', '[]')
  await put('dramas/long/drama.json', JSON.stringify({ title: 'x'.repeat(501) }))
  await put('dramas/nul/drama.json', JSON.stringify({ title: 'a\u0000b' }))
  await put('dramas/missing/image.png', 'x')
  await put('dramas/huge/drama.json', JSON.stringify({ premise: 'x'.repeat(9 * 2 ** 20) }))
  await put('dramas/twice/drama.json', JSON.stringify({ characters: [{ id: uuid }, { id: uuid }] }))
  await put('other/x/drama.json', '{}')

  const dry = await run(['--dry-run'])
  expect(dry.stdout).toContain('Would be imported: 6. Already there: 0. Refused: 4.')
  const service = createClient(api.url, api.serviceKey)
  const count = async () => (await service.from('dramas').select('id', { count: 'exact', head: true })).count
  expect(await count()).toBe(0)

  const first = await run([])
  expect(first.stderr).toContain('10 of 10')
  expect(first.stdout).toContain('Imported: 3. Already there: 0. Refused: 7.')
  expect(first.code).toBe(1)
  const refused = readFileSync(join(home, 'dramas_import_report.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(Object.fromEntries(refused.map(({ id, reason }) => [id, reason]))).toEqual({
    broken: expect.stringContaining('drama.json is not JSON: '),
    list: 'drama.json must be a JSON object',
    long: expect.stringContaining('drama_invalid: Invalid drama: "title" must be a text of up to 500'),
    nul: expect.stringContaining('22P05'),
    missing: 'drama.json is missing',
    huge: 'drama.json has more than 8 MiB',
    twice: expect.stringContaining('occurs twice'),
  })

  // A drama is edited and another one appears: a second import changes nothing and adds the new one.
  const { data } = await service.from('dramas').select('id, title').eq('external_id', 'drama_1').single()
  const { data: drama } = await service.rpc('get_drama_complete', { drama_id: data?.id })
  await service.rpc('save_drama_complete', { drama: { ...drama, title: 'Edited' }, owner_id: owner })
  await put('dramas/broken/drama.json', '{"title": "Mended"}')
  expect((await run([])).stdout).toContain('Imported: 1. Already there: 3. Refused: 6.')
  expect((await service.from('dramas').select('title').order('title')).data?.map(({ title }) => title)).toEqual([
    'Edited',
    'Kept id',
    'Mended',
    'Odd name',
  ])
})

test('stops at once with a message if an option or a variable is wrong', async () => {
  expect(await run(['--owner', 'x'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--owner must be a UUID'),
  })
  expect(await run(['--owner', crypto.randomUUID()])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--owner is not the id of a user.'),
  })
  expect(await run([], { SUPABASE_SERVICE_ROLE_KEY: '' })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('SUPABASE_SERVICE_ROLE_KEY is missing'),
  })
  expect(await run(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: ') })
  expect(await run(['--zzz'])).toMatchObject({ code: 2, stderr: expect.stringContaining('Unknown option "--zzz".') })
  expect(await run(['--report', '/nowhere/at/all.jsonl'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--report cannot be written'),
  })
  expect(await run(['--prefix', 'drama'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('has no folder below drama/.'),
  })
  expect(await run(['--bucket', 'nowhere'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Bucket nowhere does not exist.'),
  })
})

test.each([
  ['text/html', '<h1>Too large</h1>'],
  ['application/json', '{"message": "Too large."}'],
  ['application/json', '{"error": "Too large."}'],
])('reports a drama that a gateway refuses with %s in one line', async (type, body) => {
  const names = Array.from({ length: 5 }, (_, n) => `gateway_${crypto.randomUUID()}_${n}`)
  const server = await startServer((request, response) => {
    if (request.url?.includes('list-type')) response.writeHead(200).end(list(names))
    else response.writeHead(200).end(JSON.stringify({ title: request.url?.includes('_2/') ? 'Refused' : 'Good' }))
  })
  const gateway = await startServer(async (request, response) => {
    const sent = Buffer.concat(await request.toArray())
    if (sent.includes('"Refused"')) return response.writeHead(413, { 'content-type': type }).end(body)
    const answer = await fetch(`${api.url}${request.url}`, {
      method: request.method ?? 'GET',
      headers: Object.entries(request.headers).flatMap(([name, value]) =>
        typeof value === 'string' && !['host', 'connection', 'content-length'].includes(name) ? [[name, value]] : [],
      ) as [string, string][],
      ...(sent.length > 0 && { body: sent }),
    })
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
  })
  try {
    const { stdout, stderr } = await run([], { S3_ENDPOINT: server.url, SUPABASE_URL: gateway.url })
    expect(stdout, stderr).toContain('Imported: 4. Already there: 0. Refused: 1.')
    expect(Object.values(reported())).toEqual([expect.stringMatching(/^413: /)])
  } finally {
    server.stop()
    gateway.stop()
  }
})

const startServer = async (answer: (request: IncomingMessage, response: ServerResponse) => void) => {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
const list = (ids: string[]) =>
  `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>${ids
    .map((id) => `<CommonPrefixes><Prefix>dramas/${id}/</Prefix></CommonPrefixes>`)
    .join('')}</ListBucketResult>`
const reported = () =>
  Object.fromEntries(
    readFileSync(join(home, 'dramas_import_report.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
      .map(({ id, reason }) => [id, reason]),
  )

test('reports a bad file in one line, and imports the others', async () => {
  const bad: Record<string, (response: ServerResponse) => void> = {
    forbidden: (response) => {
      response.writeHead(403, { 'content-type': 'application/xml' })
      response.end('<Error><Code>InvalidObjectState</Code><Message>It is archived.</Message></Error>')
    },
    gone: (response) => response.writeHead(404).end(),
    cut: (response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('{')
      setTimeout(() => response.destroy(), 20)
    },
    endless: (response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const write = () => {
        while (!response.destroyed) if (!response.write('x'.repeat(2 ** 20))) return response.once('drain', write)
        return response
      }
      write()
    },
    deep: (response) => {
      response.writeHead(200).end(`{"title":"x","foo":${'['.repeat(20_000)}${']'.repeat(20_000)}}`)
    },
    // As deep as JSON.stringify can write it from a shallower stack than that of supabase-js.
    deepish: (response) => {
      response.writeHead(200).end(`{"title":"x","foo":${'['.repeat(3000)}${']'.repeat(3000)}}`)
    },
    latin: (response) => {
      response.writeHead(200).end(Buffer.from('{"title":"\xff\xfe"}', 'latin1'))
    },
    bomb: (response) => {
      response.writeHead(200).end(gzipSync(Buffer.alloc(8 * 2 ** 20 + 1, ' ')))
    },
    torn: (response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"title":"Torn"}').subarray(0, 20))
    },
    packed: (response) => {
      response.writeHead(200, { 'content-encoding': 'zstd' }).end(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0]))
    },
    nan: (response) => {
      response.writeHead(200).end('{"title":"NaN","scenes":[{"note":"-Infinity"},{"length":[1,NaN],"size":-Infinity}]}')
    },
  }
  const tooLong = 'x'.repeat(201)
  const server = await startServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://store')
    const name = Object.keys(bad).find((one) => pathname.includes(`/${one}/`))
    if (searchParams.has('list-type')) {
      response
        .writeHead(200, { 'content-type': 'application/xml' })
        .end(list([...Object.keys(bad), 'bad_1', 'bad_2', tooLong]))
    } else if (name !== undefined) bad[name]?.(response)
    else response.writeHead(200).end('{"title":"Good"}')
  })
  try {
    const { stdout, stderr } = await run(['--concurrency', '5'], {
      S3_ENDPOINT: server.url,
      NODE_OPTIONS: '--max-old-space-size=128',
    })
    expect(stdout, stderr).toContain('Imported: 2. Already there: 0. Refused: 12.')
    expect(reported()).toEqual({
      forbidden: expect.stringContaining('403 InvalidObjectState'),
      gone: expect.stringMatching(/drama.json is missing|404/),
      cut: expect.stringContaining('drama.json cannot be read'),
      endless: 'drama.json has more than 8 MiB',
      deep: expect.stringContaining('nested too deeply'),
      deepish: expect.stringContaining('nested too deeply'),
      latin: 'drama.json is not UTF-8',
      bomb: 'drama.json has more than 8 MiB',
      torn: 'drama.json cannot be inflated as gzip: unexpected end of file',
      packed: 'drama.json has the Content-Encoding "zstd". Store it as gzip, deflate, br or plain text.',
      nan: 'drama.json is not JSON: scenes[1].length[1] is NaN, and JSON has no such number',
      [tooLong]: expect.stringContaining('external_id'),
    })
  } finally {
    server.stop()
  }
})

test('inflates compressed files, by their header or by their first bytes', async () => {
  const text = '\ufeff{"title":"Packed","createdAt":"2020-02-03 04:05:06"}'
  const files: Record<string, [bytes: Buffer | string, encoding?: string]> = {
    gzip: [gzipSync(text), 'gzip'],
    unnamed: [gzipSync(text)],
    chunked: [gzipSync(text), 'x-gzip,aws-chunked'],
    zlib: [deflateSync(text), 'deflate'],
    raw: [deflateRawSync(text), 'Deflate'],
    brotli: [brotliCompressSync(text), 'br'],
    twice: [brotliCompressSync(gzipSync(text)), 'gzip, br'],
    plain: [text, 'gzip'],
    plain_br: [text, 'br'],
    identity: [text, 'identity'],
    gzip_as_br: [gzipSync(text), 'br'],
    gzip_as_zstd: [gzipSync(text), 'zstd'],
    zlib_as_gzip: [deflateSync(text), 'gzip'],
  }
  // As a store of another system has it.
  const stored: typeof files = {
    stored: [readFileSync(join(import.meta.dirname, 'dramas/cases/drama.json.gz')), 'gzip'],
  }
  const server = await startServer((request, response) => {
    if (request.url?.includes('list-type'))
      return response.writeHead(200).end(list(Object.keys({ ...files, ...stored })))
    const [, [bytes, encoding] = ['']] =
      Object.entries({ ...files, ...stored }).find(([id]) => request.url?.includes(`/${id}/`)) ?? []
    return response.writeHead(200, encoding === undefined ? {} : { 'content-encoding': encoding }).end(bytes)
  })
  try {
    const { stdout, stderr } = await run([], { S3_ENDPOINT: server.url })
    expect(stdout, stderr).toContain('Imported: 14. Already there: 0. Refused: 0.')
    const supabase = createClient(api.url, api.serviceKey)
    const { data } = await supabase
      .from('dramas')
      .select('title, created_at')
      .eq('owner_id', owner)
      .in('external_id', Object.keys(files))
    expect(data).toEqual(Array(13).fill({ title: 'Packed', created_at: '2020-02-03T04:05:06+00:00' }))
    const { data: opened } = await supabase.from('dramas').select('id, title').eq('external_id', 'stored').single()
    const { data: scenes } = await supabase.from('scenes').select('text').eq('drama_id', opened?.id)
    expect([opened?.title, scenes]).toEqual(['Placeholder', [{ text: 'A: hello' }]])
  } finally {
    server.stop()
  }
})

test.each([
  ['{"a":NaN}', 'a is NaN'],
  ['{"a":[{"b":"NaN, -1 \\" Infinity"},-Infinity]}', 'a[1] is -Infinity'],
  ['[NaN]', '[0] is NaN'],
  ['NaN', 'it is NaN'],
  ['{"a":NaN,}', undefined],
  ['{"a":None}', undefined],
  ['{"a":', undefined],
])('finds the place of a number that JSON does not have: %s', (text, expected) => {
  expect(findNonNumber(text)).toBe(expected)
})

test.each([
  ['2025-01-01', '2025-01-01T00:00:00.000Z'],
  ['2025-01-01T10:00:00.5+02:00', '2025-01-01T08:00:00.500Z'],
  ['2025-01-01 10:00', '2025-01-01T10:00:00.000Z'],
  [1735689600, '2025-01-01T00:00:00.000Z'],
  [1735689600000, '2025-01-01T00:00:00.000Z'],
  ['1735689600000', '2025-01-01T00:00:00.000Z'],
  [{ _seconds: 1735689600, _nanoseconds: 5 }, '2025-01-01T00:00:00.000Z'],
  [{ seconds: '1735689600' }, '2025-01-01T00:00:00.000Z'],
  [{ $date: '2025-01-01T00:00:00Z' }, '2025-01-01T00:00:00.000Z'],
  [{ $date: { $numberLong: '1735689600000' } }, '2025-01-01T00:00:00.000Z'],
])('reads the time %j', (createdAt, created_at) => {
  expect(mapDrama('x', { title: 'A', createdAt }, owner)).toMatchObject({ created_at, extra: {} })
})

test.each([['yesterday'], [7], [null], ['2025-13-01'], ['2025-02-30'], ['0000-01-01'], [{ $date: null }], [1e300]])(
  'keeps %j in extra, because it names no time',
  (createdAt) => {
    const mapped = mapDrama('x', { title: 'A', createdAt }, owner)
    expect(mapped).not.toHaveProperty('created_at')
    expect(mapped['extra']).toEqual({ createdAt })
  },
)

test('imports many dramas with long names and with names of any characters', async () => {
  const odd = [
    'a,b',
    'a(b)',
    'a"b,c',
    'x\\y,z',
    "it's",
    'a:b',
    '100%',
    'a+b',
    'a b',
    ' ',
    '😀',
    'a\u0001b',
    'a%2Fb',
    '&<',
  ]
  const ids = [...odd, ...Array.from({ length: 300 }, (_, n) => `${'灯台の光と黒い水の物語最後の夜'.repeat(4)}${n}`)]
  const asXml = (id: string) => id.replace(/[&"<\p{Cc}]/gu, (letter) => `&#${letter.charCodeAt(0)};`)
  const server = await startServer((request, response) => {
    const isList = request.url?.includes('list-type')
    response.writeHead(200).end(isList ? list(ids.map(asXml)) : '{"title":"Good"}')
  })
  try {
    const first = await run([], { S3_ENDPOINT: server.url })
    expect(first.stdout, first.stderr).toContain('Imported: 314. Already there: 0. Refused: 0.')
    const again = await run([], { S3_ENDPOINT: server.url })
    expect(again.stdout, again.stderr).toContain('Imported: 0. Already there: 314. Refused: 0.')
  } finally {
    server.stop()
  }
})

test('two imports of the same files at the same time refuse none and save each once', async () => {
  const ids = Array.from({ length: 30 }, (_, n) => `same_${n}`)
  const server = await startServer((request, response) => {
    response.writeHead(200).end(request.url?.includes('list-type') ? list(ids) : '{"title":"Same"}')
  })
  try {
    const env = { S3_ENDPOINT: server.url }
    const both = await Promise.all(['a.jsonl', 'b.jsonl'].map((report) => run(['--report', report], env)))
    for (const { stdout, stderr } of both) expect(stdout, stderr).toContain('Refused: 0.')
    const service = createClient(api.url, api.serviceKey)
    const { data } = await service.from('dramas').select('external_id').eq('owner_id', owner).eq('title', 'Same')
    expect(data?.map(({ external_id }) => external_id).sort()).toEqual(ids.toSorted())
  } finally {
    server.stop()
  }
})

test('counts a drama as imported if an attempt saved it and its answer was lost, or a good key was refused for a moment', async () => {
  await put('lost/lost_1/drama.json', '{"title":"Once"}')
  let saves = 0
  const proxy = await startServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(
        ([key]) => !/^(host|connection|content-length|transfer-encoding)$/.test(key),
      ),
    ) as Record<string, string>
    const answer = await fetch(`${api.url}${request.url}`, {
      method: request.method ?? 'GET',
      headers,
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    })
    const text = await answer.text()
    if (request.url?.includes('save_drama_complete')) {
      saves += 1
      if (saves === 1) return response.destroy()
      // A good token, which a server whose clock is behind refuses.
      if (saves === 2) return response.writeHead(401).end('{"code":"PGRST303","message":"JWT issued at future"}')
    }
    return response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
  })
  try {
    const { stdout, stderr } = await run(['--prefix', 'lost/'], { SUPABASE_URL: proxy.url })
    expect(stdout, stderr).toContain('Imported: 1. Already there: 0. Refused: 0.')
    expect(saves).toBe(3)
  } finally {
    proxy.stop()
  }
})

test('needs no more memory for 10,000 files than for a few', async () => {
  // A store of 10,000 files of 10 KB, which are made while they are read.
  const many = await startManyFiles()
  many.files = 10_000
  try {
    // A heap that does not hold 100 MB: an import that keeps its files would run out of memory. Without room for new
    // objects (8 MB, as by default), half of the time would go into collecting them.
    const { stdout, stderr } = await run(['--dry-run', '--concurrency', '16'], {
      S3_ENDPOINT: many.url,
      NODE_OPTIONS: '--max-old-space-size=48 --max-semi-space-size=8',
    })
    expect(stdout, stderr).toContain('Would be imported: 10000. Already there: 0. Refused: 0.')
    const peak = Number(/Memory at most: (\d+) MiB/.exec(stdout)?.[1])
    console.log(`memory at most: ${peak} MiB for 10,000 files of 10 KB`)
    expect(peak).toBeLessThan(256)
  } finally {
    many.server.closeAllConnections()
    many.server.close()
  }
})

async function startManyFiles(): Promise<{ url: string; files: number; server: Server }> {
  const body = JSON.stringify({
    title: 'Many',
    episodes: Array.from({ length: 4 }, () => ({
      scenes: Array.from({ length: 10 }, () => ({ text: 'The lamp turns. '.repeat(15) })),
    })),
  })
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://store')
    if (!searchParams.has('list-type')) {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
      return
    }
    const from = Number(searchParams.get('continuation-token') ?? 0)
    const to = Math.min(from + 1000, many.files)
    const folders = Array.from(
      { length: to - from },
      (_, n) => `<CommonPrefixes><Prefix>dramas/d${from + n}/</Prefix></CommonPrefixes>`,
    )
    response.writeHead(200, { 'content-type': 'application/xml' })
    response.end(
      `<?xml version="1.0"?><ListBucketResult><IsTruncated>${to < many.files}</IsTruncated>${folders.join('')}` +
        `<NextContinuationToken>${to}</NextContinuationToken></ListBucketResult>`,
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const many = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, files: 0, server }
  return many
}
