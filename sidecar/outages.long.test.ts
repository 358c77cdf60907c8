import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { someGif, startTestSidecar } from '../scripts/testing/sidecar.ts'
import { slowDown } from '../scripts/testing/store.ts'
import { fileHead, idOf, slugOf, useUploads } from '../scripts/testing/uploads.ts'
import { until } from '../scripts/testing/waiting.ts'

// Uploads while the client, the store or the database fails.
const uploads = useUploads({ storeTimeoutSeconds: 4 })

describe('a client', () => {
  test('that disconnects at once leaves no file and no upload in progress', async () => {
    const { port } = new URL(uploads.sidecar.url)
    const head = 'POST /api/assets HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=cut\r\n'
    for (let n = 0; n < 20; n++) {
      const socket = connect(Number(port), '127.0.0.1')
      socket.write(`${head}content-length: 200000\r\n\r\n`, () => setTimeout(() => socket.destroy(), n % 5))
    }
    await sleep(300)
    await until('all places are free', () => uploads.sidecar.openUploads() === 0)
    await uploads.requireNothing()
  })

  test('that never ends a form without a length is refused as too large', async () => {
    const { port } = new URL(uploads.sidecar.url)
    const socket = connect(Number(port), '127.0.0.1')
    let answer = ''
    socket.on('data', (data) => {
      answer += data
    })
    socket.on('error', () => {})
    socket.write(
      'POST /api/assets HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=cut\r\ntransfer-encoding: chunked\r\n\r\n',
    )
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
    await until('it is answered', () => {
      if (!socket.destroyed) socket.write(chunk)
      return answer.includes('asset_too_large')
    })
    expect(answer).toMatch(/^HTTP\/1.1 413/)
    socket.destroy()
    await uploads.requireNothing()
  })

  test('that disconnects in the middle of a file leaves no file and no object', async () => {
    const { port } = new URL(uploads.sidecar.url)
    const socket = connect(Number(port), '127.0.0.1')
    const head = `--cut\r\n${fileHead('x.gif')}\r\n\r\n`
    socket.write(
      `POST /api/assets HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=cut\r\ncontent-length: 200000\r\n\r\n${head}`,
    )
    socket.write(someGif(50_000))
    await until('the file is being written', () => uploads.sidecar.openUploads() === 1)
    socket.destroy()
    await until('the file is closed', () => uploads.sidecar.openUploads() === 0)
    await uploads.requireNothing()
    expect(readdirSync(uploads.sidecar.uploadFolder).filter((name) => name.startsWith('plinth-upload-'))).toEqual([])
  })
})

describe('when the store fails', () => {
  test.each(['refuse', 'reset', 'hang', 'error'] as const)(
    '(%s) the answer is 503, and nothing is there',
    async (fault) => {
      uploads.faultyStore.fail(fault, { method: 'PUT' })
      const bytes = someGif(500_000)
      const response = await uploads.sidecar.upload(bytes)
      expect(response.headers.get('retry-after')).toBe('5')
      expect(await slugOf(response)).toEqual([503, 'store_unavailable'])
      expect(await uploads.store.keys()).toEqual([])
      expect(await uploads.listAssets()).toEqual([])
      // Where it may still be written, the worker looks once more.
      expect((await uploads.listUploads()).length).toBe(fault === 'refuse' ? 0 : 1)

      uploads.faultyStore.heal()
      expect((await uploads.sidecar.upload(bytes)).status).toBe(201)
    },
  )

  test('by silence, the client waits no longer than SPACES_TIMEOUT_SECONDS', async () => {
    uploads.faultyStore.fail('hang')
    const startedAt = performance.now()
    expect(await slugOf(await uploads.sidecar.upload(someGif()))).toEqual([503, 'store_unavailable'])
    // Three times as long if the delete had a time of its own.
    expect(performance.now() - startedAt).toBeLessThan(11_900)
    expect(await uploads.listUploads()).toHaveLength(1)
  })

  test('for a moment only, the client does not notice', async () => {
    for (const fault of ['reset', 'error'] as const) {
      uploads.faultyStore.fail(fault, { method: 'PUT', times: 1 })
      const bytes = someGif(400_000)
      const assetId = await idOf(await uploads.sidecar.upload(bytes))
      const [asset] = await uploads.rows('select file_path from assets where id = $1', [assetId])
      const loaded = Buffer.from(await (await fetch(asset.file_path)).arrayBuffer())
      expect(loaded.equals(bytes)).toBe(true)
    }
  })

  test('after it has written, the object is deleted, and the row stays for the worker', async () => {
    uploads.faultyStore.fail('drop', { method: 'PUT' })
    expect(await slugOf(await uploads.sidecar.upload(someGif()))).toEqual([503, 'store_unavailable'])
    expect(await uploads.store.keys()).toEqual([])
    expect(await uploads.listUploads()).toHaveLength(1)
  })

  test('at the delete that follows, the row stays for the worker', async () => {
    uploads.faultyStore.fail('error', { method: 'DELETE' })
    uploads.faultyStore.fail('drop', { method: 'PUT' })
    expect(await slugOf(await uploads.sidecar.upload(someGif()))).toEqual([503, 'store_unavailable'])
    expect(await uploads.store.keys()).toEqual([(await uploads.listUploads())[0].object_key])
  })

  test('at the delete of a second upload of the same bytes, the answer is right, and the worker gets the object', async () => {
    const bytes = someGif()
    uploads.faultyStore.fail('hold', { method: 'PUT', times: 1 })
    uploads.faultyStore.fail('error', { method: 'DELETE' })
    const second = uploads.sidecar.upload(bytes)
    await uploads.faultyStore.held()
    const assetId = await idOf(await uploads.other.upload(bytes))
    uploads.faultyStore.release()
    expect(await (await second).json()).toMatchObject({ assetId })
    expect(await uploads.store.keys()).toHaveLength(2)
    expect((await uploads.listUploads()).map(({ object_key }) => object_key)).not.toContain(
      (await uploads.listAssets())[0].object_key,
    )
  })
})

describe('when the store is asked too often, or refuses the request for good', () => {
  const requests = () => ['PUT', 'DELETE'].map((method) => uploads.faultyStore.requests(method))
  const since = ([puts = 0, deletes = 0]: number[]) => {
    const [putsNow = 0, deletesNow = 0] = requests()
    return { puts: putsNow - puts, deletes: deletesNow - deletes }
  }

  test('150 uploads at once succeed at a store that accepts 50 requests a second', async () => {
    const patient = await startTestSidecar({
      databaseUrl: uploads.database.url('sidecar'),
      storePort: uploads.faultyStore.port,
      env: { SPACES_TIMEOUT_SECONDS: '60' },
    })
    try {
      uploads.faultyStore.limit(50)
      const before = requests()
      const answers = await Promise.all(Array.from({ length: 150 }, () => patient.upload(someGif())))
      expect(answers.map(({ status }) => status)).toEqual(Array(150).fill(201))
      expect(since(before).deletes).toBe(0)
      expect(await uploads.listUploads()).toEqual([])
      expect(await uploads.listAssets()).toHaveLength(150)
    } finally {
      await patient.stop()
    }
  })

  test('SlowDown means that the object is not written: nothing is deleted, and no row remains', async () => {
    uploads.faultyStore.fail({ status: 503, body: slowDown }, { method: 'PUT' })
    const before = requests()
    expect(await slugOf(await uploads.sidecar.upload(someGif()))).toEqual([503, 'store_unavailable'])
    expect(since(before).puts).toBeGreaterThan(2)
    expect(since(before).deletes).toBe(0)
    await uploads.requireNothing()

    uploads.faultyStore.heal()
    uploads.faultyStore.fail({ status: 503, body: slowDown }, { method: 'PUT', times: 2 })
    expect((await uploads.sidecar.upload(someGif())).status).toBe(201)
  })

  const acl = (code: string, message: string) => `<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  test.each([
    [501, acl('NotImplemented', 'A header you provided implies functionality that is not implemented')],
    [400, acl('AccessControlListNotSupported', 'The bucket does not allow ACLs')],
    [501, '<html><body>Not implemented'],
    [501, undefined],
    [403, acl('AccessDenied', 'Access Denied')],
  ] as const)('a refused ACL (%i %s) is one request, and the log says what to do', async (status, body) => {
    uploads.faultyStore.fail({ status, ...(body && { body }) }, { method: 'PUT' })
    const before = requests()
    const logged = uploads.sidecar.log().length
    const response = await uploads.sidecar.upload(someGif())
    expect(response.headers.get('retry-after')).toBeNull()
    expect(await slugOf(response)).toEqual([503, 'store_unavailable'])
    expect(since(before)).toEqual({ puts: 1, deletes: 0 })
    await uploads.requireNothing()
    expect(uploads.sidecar.log().slice(logged)).toMatch(/ACL public-read.*SPACES_ACL=none/)
  })
})

describe('when the database fails', () => {
  test.each(['find_uploader', 'start_upload', 'reserve_upload'])(
    'at %s the answer is 503, and nothing is there',
    async (name) => {
      uploads.faultyDatabase.breakAt(`sidecar.${name}`, 'before')
      const response = await uploads.sidecar.upload(someGif())
      expect(response.headers.get('retry-after')).toBe('5')
      expect(await slugOf(response)).toEqual([503, 'database_unavailable'])
      await uploads.requireNothing()
    },
  )

  test('at record_upload for a moment, the client does not notice, whether or not the call had committed', async () => {
    for (const when of ['before', 'after'] as const) {
      uploads.faultyDatabase.breakAt('sidecar.record_upload', when, 2)
      const assetId = await idOf(await uploads.sidecar.upload(someGif()))
      expect(await uploads.rows('select id, status from assets where id = $1', [assetId])).toEqual([
        { id: assetId, status: 'live' },
      ])
    }
    expect(await uploads.store.keys()).toHaveLength(2)
    expect(await uploads.listUploads()).toEqual([])
  })

  test('at record_upload for long, the answer is 503, and the worker gets the object', async () => {
    uploads.faultyDatabase.breakAt('sidecar.record_upload', 'before')
    expect(await slugOf(await uploads.sidecar.upload(someGif()))).toEqual([503, 'database_unavailable'])
    expect(await uploads.listAssets()).toEqual([])
    expect(await uploads.store.keys()).toEqual([(await uploads.listUploads())[0].object_key])
  })

  test('at record_upload for long, an asset that was recorded nevertheless keeps its object', async () => {
    uploads.faultyDatabase.breakAt('sidecar.record_upload', 'after')
    const bytes = someGif()
    expect(await slugOf(await uploads.sidecar.upload(bytes))).toEqual([503, 'database_unavailable'])
    const [asset] = await uploads.listAssets()
    expect(await uploads.store.keys()).toEqual([asset.object_key])
    uploads.faultyDatabase.heal()
    expect(await (await uploads.sidecar.upload(bytes)).json()).toMatchObject({
      assetId: asset.id,
      url: asset.file_path,
    })
  })

  test('altogether, the answer is 503, and uploads work again afterwards', async () => {
    uploads.faultyDatabase.down()
    expect(await slugOf(await uploads.sidecar.upload(someGif()))).toEqual([503, 'database_unavailable'])
    uploads.faultyDatabase.heal()
    // The sidecar connects again after a pause.
    await expect.poll(async () => (await uploads.sidecar.upload(someGif())).status).toBe(201)
  })
})
