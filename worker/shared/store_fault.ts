/** The meaning of a failed request to an S3 server. */
export type StoreFault = {
  /**
   * `wait`: the store is busy, and asks to be asked less often. `repeat`: another attempt may succeed. `stop`: no attempt
   * can succeed until an operator changes something.
   */
  advice: 'wait' | 'repeat' | 'stop'
  /** Whether the request may have taken effect, or may still do so. */
  isUncertain: boolean
  /** The pause that the store asks for. */
  retryAfterMs: number
  /** The reason, and for an operator's error what to do. */
  reason: string
}

/** How the request was made, for the reason. */
export type StoreRequest = {
  /** The beginning of the variables' names: `SPACES` or `TEMPLATES_STORE`. */
  variables: string
  region: string
  /** Whether the request asked for the ACL public-read. */
  hasAcl: boolean
}

/** The object or the answer is larger than allowed. */
export class TooLargeError extends Error {}

/** The object has another ETag than the caller asked for. */
export class ChangedError extends Error {}

/** The store began to answer and broke off. */
export class BrokenOffError extends Error {}

/** The answer does not come from an object store. */
export class ForeignAnswerError extends Error {}

/** Codes by which busy S3 servers refuse a request before they begin it. */
const busyCodes = new Set([
  'SlowDown',
  'SlowDownRead',
  'SlowDownWrite',
  'ServiceUnavailable',
  'Busy',
  'ServerBusy',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestLimitExceeded',
  'TooManyRequests',
  'TooManyRequestsException',
  'BandwidthLimitExceeded',
  'ServerNotInitialized',
  'XMinioServerNotInitialized',
])

/**
 * Codes by which S3 servers refuse a request that arrived damaged or conflicts with another request. After
 * RequestTimeTooSkewed, the SDK corrects its clock for the next attempt.
 */
const passingCodes = new Set([
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'IncompleteBody',
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'OperationAborted',
  'ConditionalRequestConflict',
])

/** Codes of refusals that have a status of 5xx at some servers. */
const refusalCodes = new Set([
  'NotImplemented',
  'NotSupported',
  'XNotImplemented',
  'MethodNotAllowed',
  'AccessControlListNotSupported',
  'QuotaExceeded',
  'InsufficientStorage',
  'StorageFull',
  'XMinioStorageFull',
])

/** With these statuses of 5xx nothing was done, even if a proxy sends them: not implemented, unknown version of HTTP. */
const certainStatuses = new Set([501, 505])

/** No connection was made, so nothing was done. */
const unconnectedCodes = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])
/** The connection was not encrypted as it must be, so nothing was sent. */
const certificateCodes = /^(CERT_|ERR_TLS_|UNABLE_TO_(GET|VERIFY)_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF)/
/** The server speaks HTTP without TLS, or another protocol. */
const foreignCodes = /^(HPE_|ERR_SSL_)|^EPROTO$/
const passingConnectionCodes = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNREFUSED',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
])

/**
 * Tells what an error of the SDK means, for all requests.
 *
 * A status of 5xx without a code of S3 is uncertain, because it may come from a gateway that lost the server behind it.
 */
export function readStoreFault(error: unknown, request: StoreRequest): StoreFault {
  return { ...judge(error), retryAfterMs: readRetryAfter(error), reason: explain(error, request) }
}

/** The status of the answer, if there was one. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = (error ?? {}) as SdkError
  return $metadata?.httpStatusCode ?? $response?.statusCode
}

/** An error of the SDK, with the fields that the SDK adds. */
type SdkError = Error & {
  code?: string
  Header?: string
  Region?: string
  Endpoint?: string
  $metadata?: { httpStatusCode?: number }
  $response?: { statusCode?: number; headers?: Record<string, string> }
}

function judge(error: unknown): Pick<StoreFault, 'advice' | 'isUncertain'> {
  const { name = '', code = '', message = '' } = (error ?? {}) as SdkError
  if (error instanceof BrokenOffError) return { advice: 'repeat', isUncertain: true }
  if (error instanceof TooLargeError) return { advice: 'stop', isUncertain: true }
  if (error instanceof ChangedError) return { advice: 'stop', isUncertain: false }
  const status = statusOf(error)
  if (status === undefined) {
    const isUnconnected =
      unconnectedCodes.has(code) ||
      certificateCodes.test(code) ||
      /without establishing a connection|before secure TLS connection|wrong version number/.test(message)
    return {
      advice: isUnconnected
        ? code === 'ENOTFOUND' || certificateCodes.test(code) || foreignCodes.test(code)
          ? 'stop'
          : 'repeat'
        : passingConnectionCodes.has(code)
          ? 'repeat'
          : 'stop',
      isUncertain: !isUnconnected,
    }
  }
  if (busyCodes.has(name) || status === 429) return { advice: 'wait', isUncertain: false }
  if (passingCodes.has(name) || status === 408 || status === 425) return { advice: 'repeat', isUncertain: false }
  // A proxy that limits the rate answers 503 with a page of its own.
  if (status === 503 && !refusalCodes.has(name)) return { advice: 'wait', isUncertain: true }
  if (status >= 500 && !refusalCodes.has(name) && !certainStatuses.has(status)) {
    return { advice: 'repeat', isUncertain: true }
  }
  // After an answer of 2xx that the SDK cannot read, the effect is unknown. A busy store may send half of a listing.
  if (status < 300) return { advice: 'repeat', isUncertain: true }
  return { advice: 'stop', isUncertain: false }
}

/** Reads the seconds of Retry-After. */
function readRetryAfter(error: unknown): number {
  const seconds = Number(((error ?? {}) as SdkError).$response?.headers?.['retry-after'])
  return seconds > 0 ? seconds * 1000 : 0
}

function explain(error: unknown, request: StoreRequest): string {
  const { name = '', code, message: text, Header = '' } = (error ?? {}) as SdkError
  const status = statusOf(error)
  // The SDK adds a hint for programmers, and makes lists of elements that an answer has twice.
  const [message = ''] = String(text ?? '').split(/\s*Deserialization error:/)
  const isForeign = /XML parse error/.test(message)
  const isWordless = message === '' || message === 'UnknownError'
  const words = isForeign
    ? `the server does not speak S3${status === undefined ? '' : ` (status ${status})`}`
    : isWordless && status !== undefined
      ? `status ${status}`
      : /wrong version number/.test(message)
        ? 'the server does not speak TLS'
        : message || code || name
  if (request.hasAcl && status !== undefined) {
    const cure = `Set ${request.variables}_ACL=none, and let everybody read the bucket by its policy`
    const namesAcl = /\bACLs?\b|AccessControl|access control|x-amz-acl/i.test(`${name} ${message} ${Header}`)
    const isUnknownHeader = (status === 501 || name === 'NotImplemented') && Header === ''
    if (isUnknownHeader || (status >= 400 && (status < 500 || status === 501) && namesAcl)) {
      return `the store refuses the ACL public-read (${words}). ${cure}.`
    }
    if (name === 'AccessDenied' || (status === 403 && (isForeign || name === 'Unknown' || name === 'UnknownError'))) {
      return `${words.replace(/\.$/, '')}. The key may not write to the bucket, or not with the ACL public-read. For the ACL: ${cure}.`
    }
  }
  const facts = Header === '' ? words : `${words.replace(/\.$/, '')} (${Header})`
  const cure = cureOf(error, request, isForeign)
  return cure === undefined ? facts : `${facts.replace(/\.$/, '')}. ${cure}`
}

/** Returns what an operator can do about an error; undefined if there is nothing to correct. */
function cureOf(error: unknown, { variables, region }: StoreRequest, isForeign: boolean): string | undefined {
  const { name = '', code = '', Region, Endpoint } = (error ?? {}) as SdkError
  const status = statusOf(error)
  const variable = (end: string) => `${variables}_${end}`
  switch (name) {
    case 'SignatureDoesNotMatch':
      return `Correct ${variable('REGION')}, which is ${region}, or ${variable('SECRET_ACCESS_KEY')}.`
    case 'AuthorizationHeaderMalformed':
      return Region
        ? `Set ${variable('REGION')}=${Region} in place of ${region}.`
        : `Correct ${variable('REGION')}, which is ${region}, or ${variable('SECRET_ACCESS_KEY')}.`
    case 'InvalidRegionName':
    case 'InvalidRegion':
    case 'IllegalLocationConstraintException':
      return `Correct ${variable('REGION')}, which is ${region}.`
    case 'InvalidAccessKeyId':
    case 'Unauthorized':
    case 'InvalidToken':
      return `Correct ${variable('ACCESS_KEY_ID')}.`
    case 'AccessDenied':
    case 'UnauthorizedAccess':
      return `Let the key of ${variable('ACCESS_KEY_ID')} use the bucket of ${variable('BUCKET')}.`
    case 'NoSuchBucket':
    case 'InvalidBucketName':
      return `Correct ${variable('BUCKET')} or ${variable('ENDPOINT')}.`
    case 'RequestTimeTooSkewed':
      return 'Correct the clock of this machine.'
    case 'QuotaExceeded':
    case 'InsufficientStorage':
    case 'StorageFull':
    case 'XMinioStorageFull':
      return 'Make room in the store, or raise its quota.'
  }
  if (status !== undefined && status >= 300 && status < 400) {
    const named = Endpoint ? `, for example to that of ${Endpoint}` : ''
    return `Correct ${variable('ENDPOINT')}${named}, or ${variable('REGION')}, which is ${region}.`
  }
  if (status === 413) return 'Raise the size of a body that the store, or a proxy before it, accepts.'
  if (status !== undefined)
    return isForeign && status < 500 && status !== 429 ? `Correct ${variable('ENDPOINT')}.` : undefined
  if (foreignCodes.test(code)) return `Correct http or https in ${variable('ENDPOINT')}.`
  if (certificateCodes.test(code)) return `Correct the certificate of the server, or ${variable('ENDPOINT')}.`
  if (unconnectedCodes.has(code)) return `Start the store, or correct ${variable('ENDPOINT')}.`
  return undefined
}
