import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { S3Error } from './s3_error.ts'
import { escapeUri, type Target } from './target.ts'

/** A request, as far as its signature covers it. */
export type SignedRequest = {
  method: string
  target: Target
  /** Names and values in turn, as Node's `rawHeaders`. */
  rawHeaders: readonly string[]
}

/** The signature of a request, as the client claims it. */
export type Claim = {
  accessKeyId: string
  /** The day of the signing key, such as 20130524. */
  day: string
  region: string
  /** The time of the request, such as 20130524T000000Z. */
  date: string
  signedHeaders: string[]
  signature: string
  /** The hash of the body, or how it is signed. */
  payload: string
  /** The access token of a user, in place of a secret key. */
  sessionToken: string | undefined
  /** How many seconds a presigned URL is valid; undefined for a signature in the headers. */
  validSeconds: number | undefined
}

/** The hash that a client sends if the signature does not cover the body. */
export const unsignedPayload = 'UNSIGNED-PAYLOAD'

const algorithm = 'AWS4-HMAC-SHA256'
const skewMaxMs = 900_000
/** Seven days, the limit of S3. */
const validSecondsMax = 604_800

/** Headers that mean something to this server: each may occur once, or a proxy and this server could read different ones. */
const single = /^(x-amz-.*|x-forwarded-host|authorization|host|content-.*|range|if-.*|cache-control|transfer-encoding)$/

/** Returns the headers by their lower-case names. */
export function readHeaders(rawHeaders: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    const value = rawHeaders[at + 1] ?? ''
    const earlier = headers.get(name)
    if (earlier !== undefined && single.test(name)) {
      throw new S3Error(400, 'InvalidRequest', `The request has the header ${name} twice. Send it once.`)
    }
    headers.set(name, earlier === undefined ? value : `${earlier},${value}`)
  }
  return headers
}

/** Reads the signature of a request, from its headers or from the query of a presigned URL. */
export function readClaim({ query }: Target, headers: ReadonlyMap<string, string>): Claim {
  const authorization = headers.get('authorization') ?? ''
  const isPresigned = query.has('X-Amz-Signature') || query.has('X-Amz-Credential')
  if (authorization.startsWith(`${algorithm} `)) {
    if (isPresigned) {
      throw new S3Error(400, 'InvalidArgument', 'The request is signed twice. Sign its headers or its URL, not both.')
    }
    return readHeaderClaim(authorization, headers)
  }
  if (!isPresigned) throw new S3Error(403, 'AccessDenied', 'Missing signature')
  return readQueryClaim(query, headers)
}

function readHeaderClaim(authorization: string, headers: ReadonlyMap<string, string>): Claim {
  const parts = /^AWS4-HMAC-SHA256 Credential=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([^,\s]+)$/.exec(
    authorization,
  )
  const payload = headers.get('x-amz-content-sha256')
  if (!parts) throw malformed('AuthorizationHeaderMalformed', 'The header Authorization is malformed.')
  if (payload === undefined) {
    throw new S3Error(400, 'InvalidRequest', 'The header x-amz-content-sha256 is missing.')
  }
  const [, credential = '', signedHeaders = '', signature = ''] = parts
  return {
    ...readCredential(credential, 'AuthorizationHeaderMalformed'),
    ...readDate(headers.get('x-amz-date')),
    signedHeaders: signedHeaders.split(';'),
    signature,
    payload,
    sessionToken: headers.get('x-amz-security-token'),
    validSeconds: undefined,
  }
}

function readQueryClaim(query: ReadonlyMap<string, string>, headers: ReadonlyMap<string, string>): Claim {
  const code = 'AuthorizationQueryParametersError'
  const [credential, signedHeaders, signature, expires] = [
    'X-Amz-Credential',
    'X-Amz-SignedHeaders',
    'X-Amz-Signature',
    'X-Amz-Expires',
  ].map((name) => query.get(name))
  if (query.get('X-Amz-Algorithm') !== algorithm) throw malformed(code, `X-Amz-Algorithm must be ${algorithm}.`)
  if (!credential || !signedHeaders || !signature) throw malformed(code, 'A part of the signature is missing.')
  if (expires === undefined || !/^\d{1,6}$/.test(expires) || Number(expires) > validSecondsMax) {
    throw malformed(code, `X-Amz-Expires must be a number of seconds up to ${validSecondsMax}.`)
  }
  return {
    ...readCredential(credential, code),
    ...readDate(query.get('X-Amz-Date')),
    signedHeaders: signedHeaders.split(';'),
    signature,
    payload: query.get('X-Amz-Content-Sha256') ?? headers.get('x-amz-content-sha256') ?? unsignedPayload,
    sessionToken: query.get('X-Amz-Security-Token'),
    validSeconds: Number(expires),
  }
}

/** Reads `<key>/<day>/<region>/s3/aws4_request`. */
function readCredential(credential: string, code: string): Pick<Claim, 'accessKeyId' | 'day' | 'region'> {
  const [accessKeyId = '', day = '', region = '', service, end, ...more] = credential.split('/')
  if (accessKeyId === '' || !/^\d{8}$/.test(day) || end !== 'aws4_request' || more.length > 0) {
    throw malformed(code, 'The credential must be <key>/<YYYYMMDD>/<region>/s3/aws4_request.')
  }
  if (service !== 's3') throw new S3Error(403, 'AccessDenied', 'Invalid Service')
  return { accessKeyId, day, region }
}

function readDate(date: string | undefined): Pick<Claim, 'date'> {
  if (date === undefined || !/^\d{8}T\d{6}Z$/.test(date)) {
    throw new S3Error(403, 'AccessDenied', 'The request needs X-Amz-Date, such as 20130524T000000Z.')
  }
  return { date }
}

function malformed(code: string, message: string): S3Error {
  return new S3Error(400, code, message)
}

/** Refuses a request whose time is too far from ours, and a presigned URL that has expired. */
export function requireTimely({ date, day, validSeconds }: Claim, now: number): void {
  const [, year, month, dayOfMonth, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? []
  const signedAt = Date.parse(`${year}-${month}-${dayOfMonth}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(signedAt) || !date.startsWith(day)) {
    throw new S3Error(403, 'AccessDenied', 'The time of the request and the day of its credential differ.')
  }
  const isEarly = signedAt > now + skewMaxMs
  if (validSeconds === undefined ? isEarly || signedAt < now - skewMaxMs : isEarly) {
    throw new S3Error(
      403,
      'RequestTimeTooSkewed',
      'The difference between the time of the request and the time of the server is too large.',
    )
  }
  if (validSeconds !== undefined && signedAt + validSeconds * 1000 < now) {
    throw new S3Error(400, 'ExpiredToken', 'The presigned URL has expired.')
  }
}

/**
 * Throws unless the secret key made this signature for this request. All headers of S3 must be signed: an unsigned one could
 * be added on the way, and turn an upload into a copy. Returns the key that signs the chunks of the body.
 */
export function requireSignature(
  { method, target, rawHeaders }: SignedRequest,
  claim: Claim,
  secretAccessKey: string,
): Buffer {
  const headers = readHeaders(rawHeaders)
  const signed = claim.signedHeaders
  const unsigned = [...headers.keys()].filter((name) => name.startsWith('x-amz-') && !signed.includes(name))
  if (unsigned.length > 0 || !signed.includes('host')) {
    throw new S3Error(403, 'AccessDenied', `These headers must be signed: ${[...unsigned, 'host'].join(', ')}.`)
  }
  const canonicalHeaders = signed.map((name) => `${name}:${readSigned(name, headers)}\n`)
  const canonical = [
    method,
    target.path.split('/').map(escapeUri).join('/'),
    canonicalQuery(target.query),
    canonicalHeaders.join(''),
    signed.join(';'),
    claim.payload,
  ].join('\n')
  const key = signingKey(claim, secretAccessKey)
  const text = [algorithm, claim.date, scope(claim), sha256(canonical)].join('\n')
  requireEqual(claim.signature, hmac(key, text))
  return key
}

/** Returns the value of a signed header. A gateway replaces the host, and says which one the client named. */
function readSigned(name: string, headers: ReadonlyMap<string, string>): string {
  const value = name === 'host' ? (headers.get('x-forwarded-host') ?? headers.get('host')) : headers.get(name)
  return (value ?? '').trim().replace(/ +/g, ' ')
}

function canonicalQuery(query: ReadonlyMap<string, string>): string {
  return [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${escapeUri(name)}=${escapeUri(value)}`)
    .sort()
    .join('&')
}

/** Throws unless the secret key signed this chunk, or these trailers, after the part with the signature `previous`. */
export function requireChunkSignature(
  kind: 'PAYLOAD' | 'TRAILER',
  { claim, key, previous, given, hash }: { claim: Claim; key: Buffer; previous: string; given: string; hash: string },
): void {
  const hashes = kind === 'PAYLOAD' ? [sha256(''), hash] : [hash]
  requireEqual(given, hmac(key, [`${algorithm}-${kind}`, claim.date, scope(claim), previous, ...hashes].join('\n')))
}

function requireEqual(given: string, expected: Buffer): void {
  const bytes = Buffer.from(/^[0-9a-f]{64}$/.test(given) ? given : '00'.repeat(32), 'hex')
  if (!timingSafeEqual(bytes, expected)) throw wrongSignature()
}

export function wrongSignature(): S3Error {
  return new S3Error(
    403,
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  )
}

function signingKey({ day, region }: Claim, secretAccessKey: string): Buffer {
  return [day, region, 's3', 'aws4_request'].reduce<Buffer>(
    (key, part) => hmac(key, part),
    Buffer.from(`AWS4${secretAccessKey}`),
  )
}

function scope({ day, region }: Claim): string {
  return `${day}/${region}/s3/aws4_request`
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
