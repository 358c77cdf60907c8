import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { S3Error } from './s3_error.ts'
import { readClaim, readHeaders, requireSignature, requireTimely } from './signature.ts'
import { parseTarget, type Target } from './target.ts'

// The examples of "Authenticating Requests (AWS Signature Version 4)" in the documentation of Amazon S3.
const accessKeyId = 'AKIAIOSFODNN7EXAMPLE'
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const emptyHash = createHash('sha256').update('').digest('hex')
const day = Date.UTC(2013, 4, 24)

/** Amazon's examples name the bucket in the host, so their paths have no `/s3`. */
function amazonTarget(url: string): Target {
  const { path, ...rest } = parseTarget(`/s3${url}`, '')
  return { ...rest, path: path.slice(3) }
}

type Example = { method?: string; url: string; headers: Record<string, string>; signed: string; signature: string }

function make({ method = 'GET', url, headers, signed, signature }: Example) {
  const credential = `${accessKeyId}/20130524/us-east-1/s3/aws4_request`
  const all = {
    Host: 'examplebucket.s3.amazonaws.com',
    Authorization: `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${signed},Signature=${signature}`,
    'x-amz-content-sha256': emptyHash,
    'x-amz-date': '20130524T000000Z',
    ...headers,
  }
  return { method, target: amazonTarget(url), rawHeaders: Object.entries(all).flat() }
}

type Made = ReturnType<typeof make>

function check(request: Made, secret = secretAccessKey, now = day): void {
  const claim = readClaim(request.target, readHeaders(request.rawHeaders))
  requireTimely(claim, now)
  requireSignature(request, claim, secret)
}

function codeOf(action: () => void): string {
  try {
    action()
  } catch (error) {
    if (error instanceof S3Error) return error.code
    throw error
  }
  return 'accepted'
}

const examples: Record<string, Example> = {
  'GET with a range': {
    url: '/test.txt',
    headers: { Range: 'bytes=0-9' },
    signed: 'host;range;x-amz-content-sha256;x-amz-date',
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  'PUT of a name with a dollar sign': {
    method: 'PUT',
    url: '/test$file.text',
    headers: {
      Date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': createHash('sha256').update('Welcome to Amazon S3.').digest('hex'),
    },
    signed: 'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  'GET of a parameter without a value': {
    url: '/?lifecycle',
    headers: {},
    signed: 'host;x-amz-content-sha256;x-amz-date',
    signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  },
  'GET of a list': {
    url: '/?max-keys=2&prefix=J',
    headers: {},
    signed: 'host;x-amz-content-sha256;x-amz-date',
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
}

test.each(Object.entries(examples))('accepts the example of Amazon: %s', (_name, example) => {
  expect(codeOf(() => check(make(example)))).toBe('accepted')
  expect(codeOf(() => check(make(example), 'wrong'))).toBe('SignatureDoesNotMatch')
})

const presigned = (signature: string, expires = 86400) => ({
  method: 'GET',
  rawHeaders: ['Host', 'examplebucket.s3.amazonaws.com'],
  target: amazonTarget(
    `/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${accessKeyId}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request` +
      `&X-Amz-Date=20130524T000000Z&X-Amz-Expires=${expires}&X-Amz-SignedHeaders=host&X-Amz-Signature=${signature}`,
  ),
})
const presignedSignature = 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404'

test('accepts the presigned URL of Amazon until it expires', () => {
  const request = presigned(presignedSignature)
  expect(codeOf(() => check(request, secretAccessKey, day + 86_400_000))).toBe('accepted')
  expect(codeOf(() => check(request, secretAccessKey, day + 86_401_000))).toBe('ExpiredToken')
  expect(codeOf(() => check(request, secretAccessKey, day - 901_000))).toBe('RequestTimeTooSkewed')
  expect(codeOf(() => check(presigned(presignedSignature, 86_401)))).toBe('SignatureDoesNotMatch')
  expect(codeOf(() => check(presigned(presignedSignature, 604_801)))).toBe('AuthorizationQueryParametersError')
  expect(codeOf(() => check({ ...request, method: 'PUT' }))).toBe('SignatureDoesNotMatch')
})

test('refuses a request whose clock is 15 minutes off', () => {
  const request = make(examples['GET of a list'] as Example)
  expect(codeOf(() => check(request, secretAccessKey, day + 900_000))).toBe('accepted')
  expect(codeOf(() => check(request, secretAccessKey, day + 901_000))).toBe('RequestTimeTooSkewed')
  expect(codeOf(() => check(request, secretAccessKey, day - 901_000))).toBe('RequestTimeTooSkewed')
})

const list = examples['GET of a list'] as Example
const changed: Record<string, [(request: Made) => Made, string]> = {
  'another path': [(one) => ({ ...one, target: { ...one.target, path: '/other' } }), 'SignatureDoesNotMatch'],
  'another method': [(one) => ({ ...one, method: 'DELETE' }), 'SignatureDoesNotMatch'],
  'another query': [(one) => ({ ...one, target: amazonTarget('/?max-keys=2&prefix=K') }), 'SignatureDoesNotMatch'],
  'a further parameter': [
    (one) => ({ ...one, target: amazonTarget('/?max-keys=2&prefix=J&delete') }),
    'SignatureDoesNotMatch',
  ],
  'another hash of the body': [
    (one) => ({ ...one, rawHeaders: one.rawHeaders.map((text) => (text === emptyHash ? 'UNSIGNED-PAYLOAD' : text)) }),
    'SignatureDoesNotMatch',
  ],
  'a header of S3 that is not signed': [
    (one) => ({ ...one, rawHeaders: [...one.rawHeaders, 'x-amz-copy-source', '/bucket/other'] }),
    'AccessDenied',
  ],
  'a signed header twice': [
    (one) => ({ ...one, rawHeaders: [...one.rawHeaders, 'X-Amz-Date', '20130524T000001Z'] }),
    'InvalidRequest',
  ],
  'a forwarded host': [
    (one) => ({ ...one, rawHeaders: [...one.rawHeaders, 'x-forwarded-host', 'elsewhere'] }),
    'SignatureDoesNotMatch',
  ],
  'a presigned URL in addition': [
    (one) => ({ ...one, target: presigned(presignedSignature).target }),
    'InvalidArgument',
  ],
}

test.each(Object.entries(changed))('refuses a replay with %s', (_name, [change, code]) => {
  expect(codeOf(() => check(change(make(list))))).toBe(code)
})

test('refuses a signature that covers no host', () => {
  const request = make({ ...list, signed: 'x-amz-content-sha256;x-amz-date' })
  expect(codeOf(() => check(request))).toBe('AccessDenied')
})

test.each([
  ['no signature', {}, 'AccessDenied'],
  ['a token', { authorization: 'Bearer abc' }, 'AccessDenied'],
  ['signature version 2', { authorization: 'AWS AKIA:abc' }, 'AccessDenied'],
  ['half a header', { authorization: 'AWS4-HMAC-SHA256 Credential=a/b' }, 'AuthorizationHeaderMalformed'],
])('refuses %s', (_name, headers, code) => {
  const target = amazonTarget('/')
  const rawHeaders = ['x-amz-content-sha256', emptyHash, ...Object.entries(headers).flat()]
  expect(codeOf(() => void readClaim(target, readHeaders(rawHeaders)))).toBe(code)
})

test('parses the path and the query once, with all their characters', () => {
  const target = parseTarget('/s3/bucket/a%20b/%2Fc+d?prefix=x%2By+z&flag', '/storage/v1')
  expect([target.path, target.bucket, target.key]).toEqual(['/storage/v1/s3/bucket/a b//c+d', 'bucket', 'a b//c+d'])
  expect([...target.query]).toEqual([
    ['prefix', 'x+y+z'],
    ['flag', ''],
  ])
  expect(codeOf(() => void parseTarget('/s3/b/%ff', ''))).toBe('InvalidURI')
  expect(codeOf(() => void parseTarget('/s3/b?prefix=a&prefix=b', ''))).toBe('InvalidArgument')
})
