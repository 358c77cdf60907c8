import { request } from 'node:http'
import { connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../testing/database.ts'
import { loosenUserBuckets, startTestStorage, type TestStorage } from '../../testing/storage.ts'
import { until } from '../../testing/waiting.ts'

// Everybody tries everything, at the server itself. The policies are those of origin 004 §6.

let database: TestDatabase
let admin: Awaited<ReturnType<TestDatabase['connect']>>
let storage: TestStorage
const ana = '11111111-1111-4111-8111-111111111111'
const bea = '22222222-2222-4222-8222-222222222222'

beforeAll(async () => {
  database = await createDatabase()
  admin = await database.connect()
  await loosenUserBuckets(admin, [ana, bea])
  // Any file of the own folder counts as an image of a completed generation: user_files.test.sql tests this rule.
  await admin.query(`
    create or replace function app.is_result_file(name text) returns boolean language sql stable return true`)
  storage = await startTestStorage(database)
})

afterAll(async () => {
  await storage.stop()
  await database.drop()
})

type Answer = { status: number; body: string }

/** Sends a request with exactly this path, which fetch would clean up. */
function ask(method: string, path: string, token?: string, body?: object | string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const bytes = typeof body === 'object' ? JSON.stringify(body) : body
  const sent = request(`${storage.ownUrl}/`, {
    method,
    path,
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(bytes !== undefined && { 'content-length': Buffer.byteLength(bytes) }),
      'content-type': typeof body === 'object' ? 'application/json' : 'text/plain',
      'x-upsert': path.includes('upsert') ? 'true' : 'false',
    },
  })
  sent.on('error', reject).on('response', async (answer) => {
    const chunks: Buffer[] = []
    for await (const chunk of answer) chunks.push(chunk)
    resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() })
  })
  sent.end(bytes)
  return promise
}

/** Returns what is stored: each row with its file, and the buckets. */
async function snapshot() {
  const { rows } = await admin.query(
    `select bucket_id || '/' || name || '/#' || version as path, metadata->>'eTag' as etag, owner_id
     from storage.objects order by bucket_id, name`,
  )
  const { rows: buckets } = await admin.query('select * from storage.buckets order by id')
  return { rows, files: storage.files().toSorted(), buckets }
}

describe('policies decide', () => {
  const callers = ['nobody', 'anon', 'bea', 'ana', 'service'] as const
  const tokens: Record<(typeof callers)[number], string | undefined> = {
    nobody: undefined,
    anon: undefined,
    bea: undefined,
    ana: undefined,
    service: undefined,
  }
  const everybody = [...callers]
  const members = ['anon', 'bea', 'ana', 'service']
  const [owner, server] = [['ana', 'service'], ['service']]
  const isListed = ({ body }: Answer) => Array.isArray(JSON.parse(body)) && JSON.parse(body).length > 0
  type Verb = {
    name: string
    run(token: string | undefined, bucket: string): Promise<Answer>
    works?(answer: Answer): boolean
    private: string[]
    public: string[]
  }
  const verbs: Verb[] = [
    ...['POST', 'PUT'].map((method) => ({
      name: `upload with ${method}`,
      run: (token: string | undefined, bucket: string) => ask(method, `/object/${bucket}/${ana}/new`, token, 'new'),
      private: owner,
      public: server,
    })),
    {
      name: 'replace',
      run: (token, bucket) => ask('PUT', `/object/${bucket}/${ana}/x`, token, 'y'),
      private: owner,
      public: server,
    },
    {
      name: 'upload with upsert',
      run: (token, bucket) => ask('POST', `/object/${bucket}/${ana}/upsert`, token, 'y'),
      private: owner,
      public: server,
    },
    {
      name: 'download',
      run: (token, bucket) => ask('GET', `/object/${bucket}/${ana}/x`, token),
      private: owner,
      public: everybody,
    },
    {
      name: 'download with authentication',
      run: (token, bucket) => ask('GET', `/object/authenticated/${bucket}/${ana}/x`, token),
      private: owner,
      public: members,
    },
    {
      name: 'download as public',
      run: (token, bucket) => ask('GET', `/object/public/${bucket}/${ana}/x`, token),
      private: [],
      public: everybody,
    },
    {
      name: 'head',
      run: (token, bucket) => ask('HEAD', `/object/${bucket}/${ana}/x`, token),
      private: owner,
      public: everybody,
    },
    {
      name: 'head as public',
      run: (token, bucket) => ask('HEAD', `/object/public/${bucket}/${ana}/x`, token),
      private: [],
      public: everybody,
    },
    {
      name: 'info',
      run: (token, bucket) => ask('GET', `/object/info/${bucket}/${ana}/x`, token),
      private: owner,
      public: everybody,
    },
    {
      name: 'info as public',
      run: (token, bucket) => ask('GET', `/object/info/public/${bucket}/${ana}/x`, token),
      private: [],
      public: everybody,
    },
    {
      name: 'list a folder',
      run: (token, bucket) => ask('POST', `/object/list/${bucket}`, token, { prefix: ana }),
      works: isListed,
      private: owner,
      public: owner,
    },
    {
      name: 'list the bucket',
      run: (token, bucket) => ask('POST', `/object/list/${bucket}`, token, { prefix: '' }),
      works: isListed,
      private: owner,
      public: owner,
    },
    {
      name: 'list by time',
      run: (token, bucket) =>
        ask('POST', `/object/list/${bucket}`, token, { prefix: '', sortBy: { column: 'created_at' } }),
      works: isListed,
      private: owner,
      public: owner,
    },
    {
      name: 'list keys',
      run: (token, bucket) => ask('POST', `/object/list-v2/${bucket}`, token, {}),
      works: ({ body }) => JSON.parse(body).objects?.length > 0,
      private: owner,
      public: owner,
    },
    {
      name: 'list folders',
      run: (token, bucket) => ask('POST', `/object/list-v2/${bucket}`, token, { with_delimiter: true }),
      works: ({ body }) => JSON.parse(body).folders?.length > 0,
      private: owner,
      public: owner,
    },
    {
      name: 'sign a URL',
      run: (token, bucket) => ask('POST', `/object/sign/${bucket}/${ana}/x`, token, { expiresIn: 60 }),
      private: owner,
      public: owner,
    },
    {
      name: 'sign URLs',
      run: (token, bucket) => ask('POST', `/object/sign/${bucket}`, token, { expiresIn: 60, paths: [`${ana}/x`] }),
      works: (answer) => isListed(answer) && JSON.parse(answer.body)[0].signedURL !== null,
      private: owner,
      public: owner,
    },
    {
      name: 'sign an upload',
      run: (token, bucket) => ask('POST', `/object/upload/sign/${bucket}/${ana}/new`, token, {}),
      private: owner,
      public: server,
    },
    {
      name: 'sign a replacement',
      run: (token, bucket) => ask('POST', `/object/upload/sign/${bucket}/${ana}/upsert`, token, {}),
      private: owner,
      public: server,
    },
    ...['move', 'copy'].map((verb) => ({
      name: verb,
      run: (token: string | undefined, bucketId: string) =>
        ask('POST', `/object/${verb}`, token, { bucketId, sourceKey: `${ana}/x`, destinationKey: `${ana}/z` }),
      private: owner,
      public: server,
    })),
    {
      name: 'remove',
      run: (token, bucket) => ask('DELETE', `/object/${bucket}/${ana}/x`, token),
      private: owner,
      public: server,
    },
    {
      name: 'remove several',
      run: (token, bucket) => ask('DELETE', `/object/${bucket}`, token, { prefixes: [`${ana}/x`] }),
      works: isListed,
      private: owner,
      public: server,
    },
    {
      name: 'get a bucket',
      run: (token, bucket) => ask('GET', `/bucket/${bucket}`, token),
      private: server,
      public: server,
    },
    {
      name: 'list buckets',
      run: (token) => ask('GET', '/bucket', token),
      works: isListed,
      private: server,
      public: server,
    },
    {
      name: 'create a bucket',
      run: (token) => ask('POST', '/bucket', token, { name: 'new' }),
      private: server,
      public: server,
    },
    {
      name: 'change a bucket',
      run: (token, bucket) => ask('PUT', `/bucket/${bucket}`, token, { file_size_limit: 1000 }),
      private: server,
      public: server,
    },
    {
      name: 'empty a bucket',
      run: (token, bucket) => ask('POST', `/bucket/${bucket}/empty`, token, {}),
      private: server,
      public: server,
    },
    {
      name: 'delete a bucket',
      run: (token) => ask('DELETE', '/bucket/unused', token, {}),
      private: server,
      public: server,
    },
  ]

  beforeAll(async () => {
    tokens.anon = storage.anonKey
    tokens.service = storage.serviceKey
    tokens.ana = await storage.tokenOf(ana)
    tokens.bea = await storage.tokenOf(bea)
  })

  /** Makes the objects that the verbs find, and nothing else. */
  async function reset() {
    await admin.query(`
      begin;
      set local storage.allow_delete_query = 'true';
      delete from storage.objects where name like '%/new' or name like '%/z';
      delete from storage.buckets where id = 'new';
      update storage.buckets set file_size_limit = null where file_size_limit is not null;
      insert into storage.buckets (id, name) values ('unused', 'unused') on conflict do nothing;
      commit`)
    for (const bucket of ['user_uploads', 'generations'])
      for (const name of ['x', 'upsert']) await ask('PUT', `/object/${bucket}/${ana}/${name}`, storage.serviceKey, 'x')
  }

  test.each(verbs)('$name', async (verb) => {
    await reset()
    let before = await snapshot()
    for (const [bucket, allowed] of [
      ['user_uploads', verb.private],
      ['generations', verb.public],
    ] as const)
      for (const caller of callers) {
        const answer = await verb.run(tokens[caller], bucket)
        const isAllowed = answer.status === 200 && (verb.works?.(answer) ?? true)
        expect([bucket, caller, isAllowed, answer.body]).toEqual([
          bucket,
          caller,
          allowed.includes(caller),
          expect.anything(),
        ])
        const after = await snapshot()
        if (!isAllowed) expect(after).toEqual(before)
        else if (!isDeepStrictEqual(after, before)) {
          await reset()
          before = await snapshot()
        }
      }
  })

  test('a move or a copy reaches no foreign folder', async () => {
    await reset()
    await ask('POST', `/object/user_uploads/${bea}/x`, storage.serviceKey, 'bea')
    const before = await snapshot()
    const attempts = [
      { sourceKey: `${bea}/x`, destinationKey: `${ana}/stolen` },
      { sourceKey: `${ana}/x`, destinationKey: `${bea}/planted` },
      { sourceKey: `${ana}/x`, destinationKey: `${bea}/x` },
      { sourceKey: `${ana}/x`, destinationKey: `${ana}/x`, destinationBucket: 'generations' },
      { sourceKey: `${ana}/x`, destinationKey: 'root' },
    ]
    for (const verb of ['move', 'copy'])
      for (const attempt of attempts) {
        const answer = await ask('POST', `/object/${verb}`, tokens.ana, { bucketId: 'user_uploads', ...attempt })
        expect([verb, attempt, answer.status]).toEqual([verb, attempt, 400])
      }
    expect(await snapshot()).toEqual(before)
  })
})

describe('tokens', () => {
  const isRefused = ({ status }: Answer) => expect(status).toBe(400)

  test('opens nothing with a token that belongs to another path, another action, or another kind', async () => {
    const token = await storage.tokenOf(ana)
    for (const name of ['x', 'y']) await ask('PUT', `/object/user_uploads/${ana}/${name}`, token, name)
    const { signedURL } = JSON.parse(
      (await ask('POST', `/object/sign/user_uploads/${ana}/x`, token, { expiresIn: 60 })).body,
    )
    const { token: uploadToken } = JSON.parse(
      (await ask('POST', `/object/upload/sign/user_uploads/${ana}/new`, token, {})).body,
    )
    const downloadToken = new URL(signedURL, storage.ownUrl).searchParams.get('token') ?? ''
    expect((await ask('GET', signedURL)).body).toBe('x')
    const before = await snapshot()
    isRefused(await ask('GET', `/object/sign/user_uploads/${ana}/y?token=${downloadToken}`))
    isRefused(await ask('GET', `/object/sign/generations/${ana}/x?token=${downloadToken}`))
    isRefused(await ask('GET', `/object/sign/user_uploads/${ana}/x?token=${uploadToken}`))
    isRefused(await ask('GET', `/object/sign/user_uploads/${ana}/x?token=${token}`))
    isRefused(await ask('GET', `/object/sign/user_uploads/${ana}/x?token=${storage.serviceKey}`))
    isRefused(await ask('GET', `/object/sign/user_uploads/${ana}/x?token=${downloadToken.slice(0, -3)}abc`))
    isRefused(await ask('GET', `/object/sign/user_uploads/${ana}/x`))
    isRefused(await ask('PUT', `/object/upload/sign/user_uploads/${ana}/x?token=${downloadToken}`, undefined, 'evil'))
    isRefused(await ask('PUT', `/object/upload/sign/user_uploads/${ana}/x?token=${uploadToken}`, undefined, 'evil'))
    isRefused(
      await ask('PUT', `/object/upload/sign/user_uploads/${ana}/new?token=${storage.serviceKey}`, undefined, 'evil'),
    )
    // The token of a signed URL does not sign in.
    for (const stolen of [downloadToken, uploadToken]) {
      isRefused(await ask('GET', `/object/user_uploads/${ana}/y`, stolen))
      isRefused(await ask('POST', `/object/user_uploads/${ana}/evil`, stolen, 'evil'))
    }
    for (const bad of ['', 'x', `${token}x`, `${token.split('.').slice(0, 2).join('.')}.`])
      isRefused(await ask('POST', `/object/user_uploads/${ana}/evil`, bad, 'evil'))
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.`
    isRefused(await ask('POST', `/object/user_uploads/${ana}/evil`, none, 'evil'))
    expect(await snapshot()).toEqual(before)
  })
})

describe('paths', () => {
  // names.test.ts has more of them.
  const bad = [
    '..',
    `${bea}/../${ana}/x`,
    `%2e%2e/${bea}/x`,
    '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    'a//b',
    '/a',
    'a/',
    'a%2f%2fb',
    'a%5cb',
    'a%00b',
    'a%0d%0ab',
    '%c3%bc',
    'x'.repeat(1025),
  ]

  beforeEach(async () => {
    await ask('PUT', `/object/user_uploads/${ana}/x`, storage.serviceKey, 'x')
  })

  test.each(bad)('refuses the key %j for every verb', async (key) => {
    const before = await snapshot()
    const token = storage.serviceKey
    const decoded = decodeURIComponent(key)
    const answers = await Promise.all([
      ask('POST', `/object/user_uploads/${key}`, token, 'evil'),
      ask('PUT', `/object/user_uploads/${key}`, token, 'evil'),
      ask('GET', `/object/user_uploads/${key}`, token),
      ask('DELETE', `/object/user_uploads/${key}`, token),
      ask('POST', `/object/sign/user_uploads/${key}`, token, { expiresIn: 60 }),
      ask('POST', `/object/upload/sign/user_uploads/${key}`, token, {}),
      ...['move', 'copy'].flatMap((verb) => [
        ask('POST', `/object/${verb}`, token, {
          bucketId: 'user_uploads',
          sourceKey: `${ana}/x`,
          destinationKey: decoded,
        }),
        ask('POST', `/object/${verb}`, token, { bucketId: 'user_uploads', sourceKey: decoded, destinationKey: 'evil' }),
      ]),
    ])
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 400))
    expect(answers[0]?.body).toMatch(/"code":"InvalidKey"/)
    expect(await snapshot()).toEqual(before)
  })

  test.each(['..', '%2e%2e', 'a%2fb', 'a%00', 'x'.repeat(101)])('refuses the bucket %j', async (bucket) => {
    const token = storage.serviceKey
    const before = await snapshot()
    const answers = await Promise.all([
      ask('POST', `/object/${bucket}/a`, token, 'evil'),
      ask('GET', `/object/${bucket}/a`, token),
      ask('POST', `/object/list/${bucket}`, token, { prefix: '' }),
      ask('POST', '/bucket', token, { name: decodeURIComponent(bucket) }),
      ask('POST', '/object/copy', token, {
        bucketId: 'user_uploads',
        sourceKey: `${ana}/x`,
        destinationKey: 'a',
        destinationBucket: decodeURIComponent(bucket),
      }),
    ])
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 400))
    expect(await snapshot()).toEqual(before)
  })

  test('keeps every character that Storage allows', async () => {
    const keys = ["!.*'() &$=@;:+,?-_", 'a b/c&d=e+f', '...', 'a..b/.c/c.', `${'x'.repeat(500)}/${'y'.repeat(500)}`]
    for (const key of keys) {
      const path = key.split('/').map(encodeURIComponent).join('/')
      expect(await ask('POST', `/object/generations/${path}`, storage.serviceKey, key)).toMatchObject({ status: 200 })
      expect((await ask('GET', `/object/public/generations/${path}`)).body).toBe(key)
      expect((await ask('DELETE', `/object/generations/${path}`, storage.serviceKey)).status).toBe(200)
    }
  })
})

describe('bodies', () => {
  /** Sends these bytes and closes the connection. */
  async function sendRaw(...pieces: string[]) {
    const { port, hostname } = new URL(storage.ownUrl)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    for (const piece of pieces) socket.write(piece)
    await until('the server has the bytes', () => socket.bytesWritten === pieces.join('').length)
    socket.destroy()
  }

  const head = (type: string, length: string) =>
    [
      `POST /object/user_uploads/${ana}/broken HTTP/1.1`,
      'host: x',
      `authorization: Bearer ${storage.serviceKey}`,
      `content-type: ${type}`,
      length,
      '',
      '',
    ].join('\r\n')

  test('stores nothing of an upload that breaks off', async () => {
    const before = await snapshot()
    const part = '--cut\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
    const form = 'multipart/form-data; boundary=cut'
    await Promise.all([
      sendRaw(head('text/plain', 'content-length: 1000'), 'only this'),
      sendRaw(head('text/plain', 'transfer-encoding: chunked'), '4\r\nonly\r\n'),
      sendRaw(head(form, 'content-length: 1000'), part, 'only this'),
      // The file has arrived, and the form has not.
      sendRaw(head(form, 'content-length: 1000'), part, 'all\r\n--cut\r\n'),
      sendRaw(head(form, 'transfer-encoding: chunked'), '10\r\n'),
    ])
    await until('nothing is stored', async () => JSON.stringify(await snapshot()) === JSON.stringify(before))
  })

  test('refuses forms without a file or without an end, and large fields', async () => {
    const before = await snapshot()
    const send = async (body: string, boundary = 'cut') =>
      (
        await fetch(`${storage.ownUrl}/object/user_uploads/${ana}/form`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${storage.serviceKey}`,
            'content-type': `multipart/form-data${boundary && `; boundary=${boundary}`}`,
          },
          body,
        })
      ).json()
    const part = (name: string, text: string) => `--cut\r\ncontent-disposition: form-data; ${name}\r\n\r\n${text}\r\n`
    const invalid = expect.objectContaining({ statusCode: '400', code: 'InvalidRequest' })
    expect(await send('--cut--')).toEqual(invalid)
    expect(await send('', '')).toEqual(invalid)
    expect(await send(`${part('name="a"', 'x')}--cut--`)).toEqual(invalid)
    expect(await send(part('name="file"; filename="a"', 'x'))).toEqual(invalid)
    expect(await send(`${part('name="metadata"', 'x'.repeat(2 ** 21))}--cut--`)).toMatchObject({
      code: 'EntityTooLarge',
    })
    expect(await snapshot()).toEqual(before)
  })

  test('refuses content types that no header can hold', async () => {
    const bucket = storage.service.from('generations')
    for (const contentType of ['image', 'text/\tx', 'text/ü'])
      expect(
        (await bucket.upload('type', new Blob(['x']).stream(), { contentType }).catch((error) => ({ error }))).error,
      ).toBeTruthy()
    expect((await bucket.exists('type').catch(() => ({ data: true }))).data).toBe(false)
  })

  test('refuses bodies that are not what a route expects', async () => {
    const token = storage.serviceKey
    const cases: [string, string, object | string][] = [
      ['POST', '/object/list/user_uploads', '{'],
      ['POST', '/object/list/user_uploads', '[]'],
      ['POST', '/object/list/user_uploads', { prefix: 1 }],
      ['POST', '/object/list/user_uploads', { prefix: '', limit: 0 }],
      ['POST', '/object/list/user_uploads', { prefix: '', limit: 1e20 }],
      ['POST', '/object/list/user_uploads', { prefix: '', offset: -1 }],
      ['POST', '/object/list/user_uploads', { prefix: '', sortBy: { column: 'version; drop table' } }],
      ['POST', '/object/list/user_uploads', { prefix: '\u0000' }],
      ['POST', '/object/list-v2/user_uploads', { cursor: 'x' }],
      ['POST', '/object/sign/user_uploads/a', { expiresIn: 0 }],
      ['POST', `/object/sign/user_uploads/${ana}/x`, { expiresIn: 1e300 }],
      ['POST', `/object/sign/user_uploads/${ana}/x`, { expiresIn: 9e15 }],
      ['DELETE', '/object/user_uploads', { prefixes: [] }],
      ['DELETE', '/object/user_uploads', { prefixes: ['a\u0000'] }],
      ['DELETE', '/object/user_uploads', 'x'.repeat(2 ** 20 + 1)],
      ['POST', '/bucket', { name: 'a', file_size_limit: -1 }],
      ['POST', '/bucket', { name: 'a', allowed_mime_types: ['x y'] }],
      ['GET', '/bucket?sortColumn=version', ''],
    ]
    for (const [method, path, body] of cases)
      expect([path, body, (await ask(method, path, token, body)).status]).toEqual([path, body, 400])
  })
})

describe('headers', () => {
  const get = (name: string, headers: Record<string, string> = {}) =>
    fetch(`${storage.ownUrl}/object/public/generations/${name}`, { headers })

  test('shows a page as text, and sandboxes images that may have scripts', async () => {
    const bucket = storage.service.from('generations')
    const type = async (contentType: string) => {
      await bucket.upload('page', '<script>', { contentType, upsert: true })
      const { headers } = await get('page')
      return [
        headers.get('content-type'),
        headers.get('x-content-type-options'),
        headers.get('content-security-policy'),
      ]
    }
    expect(await type('text/html; charset=utf-8')).toEqual(['text/plain', 'nosniff', 'sandbox'])
    expect(await type('TEXT/HTML')).toEqual(['text/plain', 'nosniff', 'sandbox'])
    expect(await type('image/svg+xml')).toEqual(['image/svg+xml', 'nosniff', 'sandbox'])
    expect(await type('application/xhtml+xml')).toEqual(['application/xhtml+xml', 'nosniff', 'sandbox'])
    expect(await type('image/png')).toEqual(['image/png', 'nosniff', null])
  })

  test('answers 304 to who has the object, and 206 to who asks for a range', async () => {
    await storage.service.from('generations').upload('range', '0123456789', { upsert: true })
    const whole = await get('range')
    const etag = whole.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/)
    expect([whole.headers.get('content-length'), whole.headers.get('accept-ranges')]).toEqual(['10', 'bytes'])
    for (const known of [etag, `W/${etag}`, '*', `"x", ${etag}`])
      expect((await get('range', { 'if-none-match': known })).status).toBe(304)
    expect((await get('range', { 'if-none-match': '"x"' })).status).toBe(200)
    const modified = whole.headers.get('last-modified') ?? ''
    expect((await get('range', { 'if-modified-since': modified })).status).toBe(304)
    expect((await get('range', { 'if-modified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' })).status).toBe(200)
    const ranges: [string, number, string][] = [
      ['bytes=0-3', 206, '0123'],
      ['bytes=7-', 206, '789'],
      ['bytes=-2', 206, '89'],
      ['bytes=8-100', 206, '89'],
      ['bytes=-100', 206, '0123456789'],
    ]
    for (const [range, status, text] of ranges) {
      const answer = await get('range', { range })
      expect([range, answer.status, await answer.text()]).toEqual([range, status, text])
    }
    expect((await get('range', { range: 'bytes=2-4' })).headers.get('content-range')).toBe('bytes 2-4/10')
    for (const range of ['bytes=10-', 'bytes=5-4', 'bytes=-0', 'bytes=0-1,3-4', 'x'])
      expect((await get('range', { range })).status).toBe(416)
    expect(await (await get('range', { range: 'bytes=0-1', 'if-range': '"old"' })).text()).toBe('0123456789')
  })
})
