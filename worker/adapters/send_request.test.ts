import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import { readBody } from '../shared/read_body.ts'
import { sendRequest } from './send_request.ts'

const text = 'A lighthouse. '.repeat(1000)
const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

async function serve(answer: RequestListener): Promise<URL> {
  const server = createServer(answer)
  stops.push(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1?a=b`)
}

const read = async (url: URL, signal?: AbortSignal) => {
  const { status, body } = await sendRequest(url, { method: 'POST', headers: {}, body: '{}', signal })
  return { status, text: (await readBody({ body }, 1_000_000)).toString() }
}

test.each([
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
])('reads an answer in the encoding %s', async (encoding, compress) => {
  const url = await serve((_request, response) =>
    response.writeHead(200, { 'content-encoding': encoding }).end(compress(text)),
  )
  expect(await read(url)).toEqual({ status: 200, text })
})

test('fails for an answer that ends too early, with and without an encoding', async () => {
  const bytes = gzipSync(crypto.getRandomValues(new Uint8Array(10_000)))
  for (const encoding of ['identity', 'gzip']) {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': encoding, 'content-length': bytes.length })
      response.write(bytes.subarray(0, 5000), () => response.destroy())
    })
    await expect(read(url)).rejects.toThrow()
  }
})

test.each([301, 302, 303, 307, 308])('refuses a redirect with status %i', async (status) => {
  const paths: string[] = []
  const url = await serve((request, response) => {
    paths.push(request.url ?? '')
    response.writeHead(status, { location: '/other' }).end()
  })
  await expect(read(url)).rejects.toThrow(`redirect (${status})`)
  expect(paths).toEqual(['/v1?a=b'])
})

test('ends with the reason of its signal, before and after the request is sent', async () => {
  let requests = 0
  const stop = new AbortController()
  const url = await serve(() => {
    requests += 1
    stop.abort(new Error('Cancelled'))
  })
  await expect(read(url, AbortSignal.abort(new Error('Already')))).rejects.toThrow('Already')
  await expect(read(url, stop.signal)).rejects.toThrow('Cancelled')
  expect(requests).toBe(1)
})

test('sends requests that follow one another through one connection', async () => {
  const ports = new Set<number | undefined>()
  const url = await serve((request, response) => {
    ports.add(request.socket.remotePort)
    request.pipe(response)
  })
  for (let n = 0; n < 5; n++) expect(await read(url)).toEqual({ status: 200, text: '{}' })
  expect(ports.size).toBe(1)
})
