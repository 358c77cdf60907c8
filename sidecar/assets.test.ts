import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { sha256, someGif } from '../scripts/testing/sidecar.ts'
import { type Answer, fileHead, idOf, rawForm, slugOf, useUploads } from '../scripts/testing/uploads.ts'

// Uploads that succeed, and the pictures that they may have.
const uploads = useUploads()

describe('an upload', () => {
  test('is stored, recorded and can be loaded', async () => {
    const bytes = someGif(300_000)
    const response = await uploads.sidecar.upload(bytes, 'My Icon.PNG')
    expect(response.status).toBe(201)
    const answer = (await response.json()) as Answer
    const key = `shared-assets/${answer.assetId}/file.gif`
    expect(answer).toEqual({ assetId: expect.any(String), url: `${uploads.store.url}/${key}` })
    expect(await uploads.listAssets()).toEqual([
      expect.objectContaining({
        id: answer.assetId,
        name: 'file.gif',
        hash: sha256(bytes),
        size_byte: bytes.length,
        mime_type: 'image/gif',
        object_key: key,
        file_path: `${uploads.store.url}/${key}`,
        status: 'live',
      }),
    ])
    expect(await uploads.listUploads()).toEqual([])
    const loaded = await fetch(`${uploads.store.url}/${key}`)
    expect(Object.fromEntries(loaded.headers)).toMatchObject({
      'content-type': 'image/gif',
      'cache-control': 'public, max-age=3600',
      'content-disposition': 'inline',
    })
    expect(Buffer.from(await loaded.arrayBuffer()).equals(bytes)).toBe(true)
  })

  test('gets the same answer for the same bytes, and stores them once', async () => {
    const bytes = someGif()
    const first = await uploads.sidecar.upload(bytes)
    const again = await uploads.other.upload(bytes, 'another name.gif')
    expect([again.status, await again.json()]).toEqual([first.status, await first.json()])
    expect(await uploads.store.keys()).toHaveLength(1)
  })

  test('makes one object, one row and one id, if twenty send the same bytes at once to two processes', async () => {
    const bytes = someGif(200_000)
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => idOf(await (n % 2 ? uploads.sidecar : uploads.other).upload(bytes))),
    )
    expect(new Set(answers).size).toBe(1)
    expect((await uploads.listAssets()).map(({ id }) => id)).toEqual([answers[0]])
    expect(await uploads.store.keys()).toEqual([(await uploads.listAssets())[0].object_key])
    expect(await uploads.listUploads()).toEqual([])
  })

  test('may have other fields before and after the file', async () => {
    const response = await uploads.post(
      rawForm([
        { head: 'Content-Disposition: form-data; name="a"', bytes: '1' },
        { head: fileHead('x.gif'), bytes: someGif() },
        { head: 'Content-Disposition: form-data; name="b"', bytes: '2' },
      ]),
    )
    expect(response.status).toBe(201)
  })

  test.each(
    [
      '../../etc/passwd',
      '',
      '/',
      '😀 日本.png',
      'a\u0000b\u0007c.gif',
      "*UTF-8''a%00b%07c.gif",
      "*UTF-8''%ED%A0%80y.gif",
      'x?versionId=1#y.gif',
      `${'long '.repeat(2000)}.gif`,
      'ü'.repeat(5000),
    ].map((name) => [name.slice(0, 40), name]),
  )('may have any name, which is not kept: %j …', async (_short, name) => {
    const response = await uploads.post(rawForm([{ head: fileHead(name), bytes: someGif() }]))
    const assetId = await idOf(response)
    expect(await uploads.store.keys()).toEqual([`shared-assets/${assetId}/file.gif`])
    expect((await fetch((await uploads.listAssets())[0].file_path)).status).toBe(200)
  })

  test('may have a name that is not UTF-8', async () => {
    const head = Buffer.concat([Buffer.from(fileHead('').slice(0, -1)), Buffer.from([0xed, 0xa0, 0x80, 0xff, 0x22])])
    const { body, ...init } = rawForm([{ head: 'HEAD', bytes: someGif() }])
    const [before, after] = [body.subarray(0, body.indexOf('HEAD')), body.subarray(body.indexOf('HEAD') + 4)]
    expect((await uploads.post({ ...init, body: Buffer.concat([before, head, after]) })).status).toBe(201)
  })

  test('has the type that its first bytes tell', async () => {
    const png = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
      'base64',
    )
    await uploads.sidecar.upload(png, 'virus.exe')
    expect(await uploads.listAssets()).toMatchObject([
      { mime_type: 'image/png', object_key: expect.stringMatching(/\/file\.png$/) },
    ])
  })
})

const caseOf = (name: string) => Buffer.from(readFileSync(join(import.meta.dirname, 'cases', name)))

describe('a form', () => {
  const text = (name: string) => ({ head: `Content-Disposition: form-data; name="${name}"`, bytes: 'x' })
  const plain = 'Content-Disposition: form-data; name="file"'

  /** Sends a body in several writes and returns the answer. */
  async function send(writes: Buffer[], isChunked: boolean): Promise<string> {
    const length = writes.reduce((sum, { length }) => sum + length, 0)
    const asked = request(`${uploads.sidecar.url}/api/assets`, {
      method: 'POST',
      headers: {
        'content-type': 'multipart/form-data; boundary=plinthtest',
        ...(isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }),
      },
    })
    const answered = new Promise<string>((resolve, reject) => {
      asked.on('error', reject).on('response', (response) => {
        response.toArray().then((chunks) => resolve(`${response.statusCode} ${Buffer.concat(chunks)}`), reject)
      })
    })
    for (const bytes of writes) {
      asked.write(bytes)
      await sleep(50)
    }
    asked.end()
    return answered
  }

  test('may end its lines with LF only, and have text behind its end', async () => {
    expect(await send([caseOf('body_lf_only.bin')], false)).toMatch(/^201 /)
    const [asset] = await uploads.listAssets()
    const writes = [caseOf('body_epilogue_1.bin'), caseOf('body_epilogue_2.bin')]
    for (const isChunked of [false, true])
      expect(await send(writes, isChunked)).toContain(`201 {"assetId":"${asset.id}"`)
  })

  test.each([
    ['whose file has no name', [{ head: plain, bytes: someGif() }]],
    ['with filename* alone', [{ head: `${plain}; filename*=UTF-8''%C3%BC.gif`, bytes: someGif() }]],
    ['with a text of the same name before the file', [text('file'), { head: fileHead('x.gif'), bytes: someGif() }]],
    ['with a text of the same name behind the file', [{ head: fileHead('x.gif'), bytes: someGif() }, text('file')]],
  ])('%s is accepted', async (_what, parts) => {
    const [file] = parts.filter(({ bytes }) => bytes !== 'x')
    expect((await uploads.post(rawForm(parts))).status).toBe(201)
    expect(await uploads.listAssets()).toMatchObject([{ hash: sha256(file?.bytes as Buffer), size_byte: 1000 }])
  })

  test('may have a text before its first boundary', async () => {
    const { body, ...init } = rawForm([{ head: fileHead('x.gif'), bytes: someGif() }])
    expect((await uploads.post({ ...init, body: Buffer.concat([Buffer.from('hello\r\n\r\n'), body]) })).status).toBe(
      201,
    )
  })

  test('may have fields in which no file is chosen, as browsers send them', async () => {
    const none = (name: string) => ({ head: `Content-Disposition: form-data; name="${name}"; filename=""` })
    const chosen = { head: fileHead('x.gif'), bytes: someGif() }
    expect((await uploads.post(rawForm([none('file'), none('other'), chosen, none('file')]))).status).toBe(201)
    expect(await uploads.listAssets()).toMatchObject([{ hash: sha256(chosen.bytes) }])
    expect(await slugOf(await uploads.post(rawForm([none('file')])))).toEqual([400, 'file_missing'])
  })

  test('whose bytes are encoded is refused with the reason', async () => {
    const head = `${fileHead('x.gif')}\r\nContent-Transfer-Encoding: base64`
    const encoded = await uploads.post(rawForm([{ head, bytes: someGif().toString('base64') }]))
    expect([encoded.status, await encoded.json()]).toMatchObject([
      400,
      { message: 'The form cannot be parsed: its file is encoded as base64.' },
    ])
    const { headers, ...init } = rawForm([{ head: fileHead('x.gif'), bytes: someGif() }])
    const compressed = await uploads.post({ ...init, headers: { ...headers, 'content-encoding': 'gzip' } })
    expect([compressed.status, await compressed.json()]).toMatchObject([415, { message: 'The form is compressed.' }])
    await uploads.requireNothing()
  })

  test('with a text or with two files in its field is refused', async () => {
    expect(await slugOf(await uploads.post(rawForm([text('file')])))).toEqual([400, 'file_missing'])
    const twice = rawForm([
      { head: plain, bytes: someGif() },
      { head: fileHead('x.gif'), bytes: someGif() },
      { head: fileHead('y.gif'), bytes: someGif() },
    ])
    expect(await slugOf(await uploads.post(twice))).toEqual([400, 'request_invalid'])
    await uploads.requireNothing()
  })
})

describe('a picture', () => {
  test('loses the card that its PNG hides, and is known by the bytes that were sent', async () => {
    const card = caseOf('tavern_card_text_before_idat.png')
    const answer = (await (await uploads.sidecar.upload(card, 'card.png')).json()) as Answer
    const [asset] = await uploads.listAssets()
    expect(asset).toMatchObject({ mime_type: 'image/png', hash: sha256(card) })
    const stored = Buffer.from(await (await fetch(asset.file_path)).arrayBuffer())
    expect(stored.length).toBe(asset.size_byte)
    expect(String(stored)).not.toContain('chara')
    expect(await (await uploads.other.upload(card)).json()).toEqual(answer)
  })

  test('is AVIF by any of its brands', async () => {
    expect((await uploads.sidecar.upload(caseOf('avif_header_major_brand_mif1.avif'))).status).toBe(201)
    expect(await uploads.listAssets()).toMatchObject([{ mime_type: 'image/avif', name: 'file.avif' }])
  })

  test('is refused if it is HEIC, with the types to convert it to', async () => {
    const response = await uploads.sidecar.upload(Buffer.from('\0\0\0\x18ftypmif1\0\0\0\0mif1heic\0\0\0\x10meta'))
    expect([response.status, await response.json()]).toMatchObject([
      415,
      {
        details: 'asset_type_unsupported',
        message: 'The file is a HEIC picture, which most browsers cannot show.',
        hint: expect.stringMatching(/^Convert the picture, and send one of: image\/apng, .*image\/jpeg/),
      },
    ])
  })

  test('is refused if it claims too many pixels', async () => {
    const png = Buffer.from('89504e470d0a1a0a0000000d494844520000c3500000c3500806000000', 'hex')
    expect(await slugOf(await uploads.sidecar.upload(png))).toEqual([422, 'asset_has_too_many_pixels'])
    await uploads.requireNothing()
  })
})

test('an upload that the worker has claimed is refused, and its object is deleted', async () => {
  uploads.faultyStore.fail('hold', { method: 'PUT', times: 1 })
  const slow = uploads.sidecar.upload(someGif())
  await uploads.faultyStore.held()
  await uploads.db.query("update app.asset_uploads set started_at = now() - interval '1 day'")
  const claimed = await uploads.rows('select id, object_key from worker.claim_orphaned_assets(10)')
  uploads.faultyStore.release()
  expect(await slugOf(await slow)).toEqual([409, 'upload_expired'])
  expect(await uploads.store.keys()).toEqual([])
  expect((await uploads.listUploads()).map(({ id }) => id)).toEqual(claimed.map(({ id }) => id))
})

test('an object can be read by everyone, and caches keep it as long as a share lives', async () => {
  await uploads.sidecar.upload(someGif())
  expect(uploads.faultyStore.headers('PUT')).toMatchObject({
    'x-amz-acl': 'public-read',
    'cache-control': 'public, max-age=3600',
    'content-type': 'image/gif',
    'content-disposition': 'inline',
  })
})
