import { expect, test } from 'vitest'
import { BrokenOffError, readStoreFault, TooLargeError } from './store_fault.ts'

const request = { variables: 'SPACES', region: 'us-east-1', hasAcl: false }
const answer = (httpStatusCode: number, name = 'Unknown', facts: object = {}) =>
  Object.assign(new Error('No.'), { name, $metadata: { httpStatusCode }, ...facts })
const failure = (code: string) => Object.assign(new Error('No.'), { code })

test.each([
  ['wait', false, answer(503, 'SlowDown')],
  ['wait', false, answer(503, 'SlowDownWrite')],
  ['wait', false, answer(503, 'ServiceUnavailable')],
  ['wait', false, answer(503, 'XMinioServerNotInitialized')],
  ['wait', false, answer(400, 'RequestLimitExceeded')],
  ['wait', false, answer(509, 'BandwidthLimitExceeded')],
  ['wait', false, answer(429)],
  ['repeat', false, answer(400, 'RequestTimeout')],
  ['repeat', false, answer(403, 'RequestTimeTooSkewed')],
  ['repeat', false, answer(400, 'IncompleteBody')],
  ['repeat', false, answer(400, 'BadDigest')],
  ['repeat', false, answer(409, 'OperationAborted')],
  ['repeat', false, answer(408)],
  ['stop', false, answer(501, 'NotImplemented')],
  ['stop', false, answer(501)],
  ['stop', false, answer(505)],
  ['stop', false, answer(507, 'XMinioStorageFull')],
  ['stop', false, answer(403, 'AccessDenied')],
  ['stop', false, answer(403, 'SignatureDoesNotMatch')],
  ['stop', false, answer(404, 'NoSuchBucket')],
  ['stop', false, answer(301, 'PermanentRedirect')],
  ['repeat', true, answer(500, 'InternalError')],
  ['repeat', true, answer(500)],
  ['repeat', true, answer(502)],
  ['wait', true, answer(503)],
  ['repeat', true, answer(504, 'GatewayTimeout')],
  ['repeat', true, failure('ECONNRESET')],
  ['repeat', true, failure('EPIPE')],
  ['repeat', false, failure('ECONNREFUSED')],
  ['repeat', false, failure('EAI_AGAIN')],
  ['stop', false, failure('ENOTFOUND')],
  ['repeat', true, new BrokenOffError('it broke off')],
  ['stop', true, Object.assign(new TooLargeError('it has more bytes'), { $response: { statusCode: 503 } })],
  ['stop', false, failure('CERT_HAS_EXPIRED')],
  ['stop', false, failure('SELF_SIGNED_CERT_IN_CHAIN')],
  ['stop', false, Object.assign(new Error('error:0A00010B: wrong version number'), { code: 'EPROTO' })],
  ['stop', true, failure('HPE_INVALID_CONSTANT')],
  ['repeat', false, Object.assign(new Error('disconnected before secure TLS connection'), { code: 'ECONNRESET' })],
  ['repeat', true, answer(200)],
  ['stop', true, undefined],
] as const)('%s, uncertain: %s, at %s', (advice, isUncertain, error) => {
  expect(readStoreFault(error, request)).toMatchObject({ advice, isUncertain })
})

test('a refused ACL is told from other refusals', () => {
  const reason = (error: unknown) => readStoreFault(error, { ...request, hasAcl: true }).reason
  const cure = 'Set SPACES_ACL=none, and let everybody read the bucket by its policy.'
  for (const error of [
    answer(501, 'NotImplemented', { Header: 'x-amz-acl' }),
    answer(400, 'AccessControlListNotSupported'),
    answer(400, 'InvalidArgument', { message: 'Cannot use ACL API to update bucket policy' }),
    answer(400, 'InvalidRequest', { message: 'Bucket cannot have public ACLs set with BlockPublicAccess enabled' }),
  ]) {
    expect(reason(error)).toMatch(/^the store refuses the ACL public-read \(/)
    expect(reason(error)).toContain(cure)
  }
  expect(reason(answer(403, 'AccessDenied'))).toBe(
    `No. The key may not write to the bucket, or not with the ACL public-read. For the ACL: ${cure}`,
  )
  for (const error of [answer(503, 'SlowDown'), answer(500), failure('ECONNRESET')]) {
    expect(reason(error)).toBe('No.')
  }
  expect(reason(answer(501, 'NotImplemented', { Header: 'Transfer-Encoding' }))).toBe('No (Transfer-Encoding)')
  expect(readStoreFault(answer(501, 'NotImplemented'), request).reason).toBe('No.')
})

test.each([
  [answer(404, 'NoSuchBucket'), 'Correct SPACES_BUCKET or SPACES_ENDPOINT.'],
  [answer(403, 'InvalidAccessKeyId'), 'Correct SPACES_ACCESS_KEY_ID.'],
  [answer(403, 'AccessDenied'), 'Let the key of SPACES_ACCESS_KEY_ID use the bucket of SPACES_BUCKET.'],
  [answer(403, 'SignatureDoesNotMatch'), 'Correct SPACES_REGION, which is us-east-1, or SPACES_SECRET_ACCESS_KEY.'],
  [
    answer(400, 'AuthorizationHeaderMalformed', { Region: 'eu-west-3' }),
    'Set SPACES_REGION=eu-west-3 in place of us-east-1.',
  ],
  [answer(400, 'InvalidRegionName'), 'Correct SPACES_REGION, which is us-east-1.'],
  [
    answer(301, 'PermanentRedirect', { Endpoint: 'b.example' }),
    'Correct SPACES_ENDPOINT, for example to that of b.example, or SPACES_REGION, which is us-east-1.',
  ],
  [answer(403, 'RequestTimeTooSkewed'), 'Correct the clock of this machine.'],
  [answer(507, 'XMinioStorageFull'), 'Make room in the store, or raise its quota.'],
  [failure('ENOTFOUND'), 'Start the store, or correct SPACES_ENDPOINT.'],
  [failure('CERT_HAS_EXPIRED'), 'Correct the certificate of the server, or SPACES_ENDPOINT.'],
])('says what to correct: %s', (error, cure) => {
  expect(readStoreFault(error, request).reason).toBe(`No. ${cure}`)
})

test('says the status of an answer without words, and where a page comes from', () => {
  const page = Object.assign(answer(404), { message: 'XML parse error: x' })
  expect(readStoreFault(page, request).reason).toBe(
    'the server does not speak S3 (status 404). Correct SPACES_ENDPOINT.',
  )
  expect(readStoreFault(Object.assign(answer(429), { message: 'UnknownError' }), request).reason).toBe('status 429')
  const plain = Object.assign(new Error('error:0A00010B: wrong version number'), { code: 'EPROTO' })
  expect(readStoreFault(plain, request).reason).toBe(
    'the server does not speak TLS. Correct http or https in SPACES_ENDPOINT.',
  )
})
