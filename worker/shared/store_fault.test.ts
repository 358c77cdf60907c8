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
  ['repeat', true, answer(503)],
  ['repeat', true, answer(504, 'GatewayTimeout')],
  ['repeat', true, failure('ECONNRESET')],
  ['repeat', true, failure('EPIPE')],
  ['repeat', false, failure('ECONNREFUSED')],
  ['repeat', false, failure('EAI_AGAIN')],
  ['stop', false, failure('ENOTFOUND')],
  ['repeat', true, new BrokenOffError('it broke off')],
  ['stop', true, Object.assign(new TooLargeError('it has more bytes'), { $response: { statusCode: 503 } })],
  ['stop', true, answer(200)],
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
  for (const error of [answer(404, 'NoSuchBucket'), answer(503, 'SlowDown'), answer(500), failure('ECONNRESET')]) {
    expect(reason(error)).toBe('No.')
  }
  expect(readStoreFault(answer(501, 'NotImplemented'), request).reason).toBe('No.')
})
