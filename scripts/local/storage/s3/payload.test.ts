import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { checksums } from './checksums.ts'
import { openPayload } from './payload.ts'
import { S3Error } from './s3_error.ts'
import { type Claim, readClaim, readHeaders, requireSignature } from './signature.ts'

// The examples of "Signature calculations: transferring payload in multiple chunks" in the documentation of Amazon S3.
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const file = Buffer.alloc(66560, 'a')
const first = file.subarray(0, 65536).toString()
const second = file.subarray(65536).toString()

type Example = { kind: string; signature: string; headers: Record<string, string>; body: string }
const chunked: Example = {
  kind: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  signature: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
  headers: { 'content-length': '66824' },
  body: [
    '10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
    first,
    '400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
    second,
    '0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
    '',
    '',
  ].join('\r\n'),
}
const withTrailer: Example = {
  kind: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
  signature: '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
  headers: { 'x-amz-trailer': 'x-amz-checksum-crc32c' },
  body: [
    '10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
    first,
    '400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
    second,
    '0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
    'x-amz-checksum-crc32c:sOO8/Q==',
    'x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435',
    '',
    '',
  ].join('\r\n'),
}

/** Opens an example of Amazon after checking its seed signature; `body` replaces its body. */
async function read({ kind, signature, headers, body }: Example, pieces: Iterable<Buffer> = [Buffer.from(body)]) {
  const all = {
    host: 's3.amazonaws.com',
    'x-amz-date': '20130524T000000Z',
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    'content-encoding': 'aws-chunked',
    'x-amz-content-sha256': kind,
    'x-amz-decoded-content-length': '66560',
    ...headers,
  }
  const signed = Object.keys(all).sort().join(';')
  const credential = 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request'
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${signed},Signature=${signature}`
  const rawHeaders = Object.entries({ ...all, authorization }).flat()
  const target = { path: '/examplebucket/chunkObject.txt', bucket: '', key: '', query: new Map<string, string>() }
  const claim = readClaim(target, readHeaders(rawHeaders))
  const key = requireSignature({ method: 'PUT', target, rawHeaders }, claim, secretAccessKey)
  return buffer(openPayload(Readable.from(pieces), claim, key, readHeaders(rawHeaders)).bytes)
}

async function codeOf(bytes: Promise<unknown>): Promise<string> {
  return bytes.then(
    () => 'accepted',
    (error: unknown) => {
      if (error instanceof S3Error) return error.code
      throw error
    },
  )
}

function* cut(text: string, size: number): Generator<Buffer> {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size))
}

test.each([
  ['chunks', chunked],
  ['chunks and a trailer', withTrailer],
])('decodes the example of Amazon with signed %s, however it is cut', async (_name, example) => {
  for (const size of [100_000, 4096, 11]) expect(await read(example, cut(example.body, size))).toEqual(file)
})

test.each<[string, (body: string) => string, string]>([
  ['a changed byte', (body) => body.replace('aaa\r\n0;', 'aab\r\n0;'), 'SignatureDoesNotMatch'],
  [
    'exchanged chunks',
    (body) => body.replace(/10000;(.*?)\r\n(a+)\r\n400;(.*?)\r\n(a+)/, '400;$3\r\n$4\r\n10000;$1\r\n$2'),
    'SignatureDoesNotMatch',
  ],
  ['its last data chunk left out', (body) => body.replace(/400;.*\r\na+\r\n/, ''), 'SignatureDoesNotMatch'],
  ['its end left out', (body) => body.slice(0, body.indexOf('0;chunk-signature=b6')), 'IncompleteBody'],
  ['bytes after its end', (body) => `${body}more`, 'IncompleteBody'],
  ['a chunk that is longer than its size', (body) => body.replace('\r\n0;', 'a\r\n0;'), 'IncompleteBody'],
  ['a chunk without a signature', (body) => body.replace(/;chunk-signature=0055\w+/, ''), 'IncompleteBody'],
  ['a size that is negative', (body) => body.replace('400;', '-400;'), 'IncompleteBody'],
  ['a size of 64 bits', (body) => body.replace('400;', '10000000000000400;'), 'IncompleteBody'],
  ['a size with a space', (body) => body.replace('400;', ' 400;'), 'IncompleteBody'],
  ['a size that never ends', () => '0'.repeat(100_000), 'IncompleteBody'],
])('refuses the chunks of Amazon with %s', async (_name, change, code) => {
  expect(await codeOf(read({ ...chunked, body: change(chunked.body) }))).toBe(code)
})

test.each<[string, (body: string) => string, string]>([
  ['without its trailer', (body) => body.replace(/x-amz-checksum.*\r\n/, ''), 'MalformedTrailerError'],
  ['without the signature of its trailer', (body) => body.replace(/x-amz-trailer.*\r\n/, ''), 'MalformedTrailerError'],
  ['with another trailer', (body) => body.replace('crc32c', 'sha256'), 'MalformedTrailerError'],
  ['with a changed trailer', (body) => body.replace('sOO8', 'sOO9'), 'SignatureDoesNotMatch'],
])('refuses the chunks of Amazon %s', async (_name, change, code) => {
  expect(await codeOf(read({ ...withTrailer, body: change(withTrailer.body) }))).toBe(code)
})

const claimOf = (payload: string) => ({ payload, signature: '', date: '', day: '', region: '' }) as unknown as Claim
function open(payload: string, headers: Record<string, string>, body: string) {
  const pieces = Readable.from([Buffer.from(body)])
  return buffer(openPayload(pieces, claimOf(payload), Buffer.alloc(0), new Map(Object.entries(headers))).bytes)
}
const unsigned = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
const trailer = { 'x-amz-decoded-content-length': '9', 'x-amz-trailer': 'x-amz-checksum-crc32' }

test.each([
  ['x-amz-checksum-crc32', 'y/Q5Jg=='],
  ['x-amz-checksum-crc32c', '4waSgw=='],
  ['x-amz-checksum-crc64nvme', 'rosUhgp5mIg='],
  ['x-amz-checksum-sha1', createHash('sha1').update('123456789').digest('base64')],
  ['x-amz-checksum-sha256', createHash('sha256').update('123456789').digest('base64')],
])('compares %s in a trailer and in a header', async (name, value) => {
  const body = (sum: string) => `4\r\n1234\r\n5\r\n56789\r\n0\r\n${name}:${sum}\r\n\r\n`
  const headers = { ...trailer, 'x-amz-trailer': name }
  expect((await open(unsigned, headers, body(value))).toString()).toBe('123456789')
  expect(await codeOf(open(unsigned, headers, body(value.replace(/^./, 'A'))))).toBe('BadDigest')
  const plain = { 'content-length': '9', [name]: value }
  expect((await open('UNSIGNED-PAYLOAD', plain, '123456789')).toString()).toBe('123456789')
  expect(await codeOf(open('UNSIGNED-PAYLOAD', plain, '123456780'))).toBe('BadDigest')
})

test('a checksum may be given in pieces', () => {
  for (const [name, start] of Object.entries(checksums)) {
    const [whole, pieces] = [start?.(), start?.()]
    whole?.update(Buffer.from('123456789'))
    for (const piece of ['1', '23', '456789']) pieces?.update(Buffer.from(piece))
    expect([name, pieces?.base64()]).toEqual([name, whole?.base64()])
  }
})

const hash = createHash('sha256').update('123456789').digest('hex')
test.each<[string, string, Record<string, string>, string, string]>([
  ['a body with its hash', hash, { 'content-length': '9' }, '123456789', 'accepted'],
  ['another body', hash, { 'content-length': '9' }, '123456780', 'XAmzContentSHA256Mismatch'],
  ['a hash in capitals', hash.toUpperCase(), { 'content-length': '9' }, '123456789', 'InvalidArgument'],
  ['a body that is too short', 'UNSIGNED-PAYLOAD', { 'content-length': '9' }, '12345678', 'IncompleteBody'],
  ['a body that is too long', 'UNSIGNED-PAYLOAD', { 'content-length': '8' }, '123456789', 'IncompleteBody'],
  ['no length', 'UNSIGNED-PAYLOAD', {}, '123456789', 'MissingContentLength'],
  ['a length with a sign', 'UNSIGNED-PAYLOAD', { 'content-length': '+9' }, '123456789', 'MissingContentLength'],
  ['an unknown kind of body', 'STREAMING-OTHER', trailer, '0\r\n\r\n', 'InvalidArgument'],
  ['no trailer', unsigned, trailer, '9\r\n123456789\r\n0\r\n\r\n', 'MalformedTrailerError'],
  [
    'two trailers',
    unsigned,
    trailer,
    '9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n',
    'MalformedTrailerError',
  ],
  ['a trailer without a checksum', unsigned, { ...trailer, 'x-amz-trailer': 'x-amz-acl' }, '', 'InvalidRequest'],
  ['more bytes than announced', unsigned, trailer, `ffffffff\r\n${'1'.repeat(100)}`, 'IncompleteBody'],
  [
    'fewer bytes than announced',
    unsigned,
    trailer,
    '8\r\n12345678\r\n0\r\nx-amz-checksum-crc32:mua9rw==\r\n\r\n',
    'IncompleteBody',
  ],
])('reads or refuses %s', async (_name, payload, headers, body, code) => {
  const opened = (async () => open(payload, headers, body))()
  expect(await codeOf(opened)).toBe(code)
})
