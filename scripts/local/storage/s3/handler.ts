import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { JWTPayload } from 'jose'
import { drain } from '../../../../sidecar/drain.ts'
import type { Caller } from '../database.ts'
import { StorageError } from '../errors.ts'
import type { Answer } from './answer.ts'
import { getBucketLocation, headBucket, listBuckets } from './buckets.ts'
import { deleteObject, deleteObjects } from './delete_objects.ts'
import { getObject } from './get_object.ts'
import { listObjects } from './list_objects.ts'
import { openPayload } from './payload.ts'
import { copyObject, putObject } from './put_object.ts'
import { S3Error } from './s3_error.ts'
import type { S3Context, S3Request } from './s3_request.ts'
import { type Claim, readClaim, readHeaders, requireSignature, requireTimely, wrongSignature } from './signature.ts'
import { parseTarget, type Target } from './target.ts'
import { writeXml } from './xml.ts'

/** The keys that may sign requests, and what the handler works on. */
export type S3Options = S3Context & {
  /** The keys of the project: their holder is `service_role`. */
  accessKeyId: string
  secretAccessKey: string
  /**
   * The other way to sign, with a user's rights: the access key is the reference of the project, the secret key is the key
   * `anon`, and the session token is the user's access token.
   */
  session: { projectRef: string; anonKey: string; verifyToken(token: string): Promise<JWTPayload> }
  /** The path before `/s3` that clients see and sign, and that the gateway strips. */
  prefix: string
  /** The time in milliseconds; tests move it. */
  now?: () => number
}

/** Answers a request below `/s3`. */
export type S3Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/**
 * The S3 protocol of the local Storage, as the worker and the publishing commands use it at Supabase Storage. For development
 * and tests. Each request needs a signature of version 4.
 */
export function createS3Handler(options: S3Options): S3Handler {
  return async (request, response) => {
    const { method = '' } = request
    response.setHeader('x-amz-request-id', randomUUID())
    let answer: Answer
    try {
      answer = await route(options, await authenticate(options, request))
    } catch (error) {
      if (request.destroyed && !request.complete) return void response.destroy()
      answer = describeError(error, request)
    }
    await send(request, response, method === 'HEAD' ? withoutBody(answer) : answer)
  }
}

async function authenticate(options: S3Options, request: IncomingMessage): Promise<S3Request> {
  const { method = '', url = '', rawHeaders } = request
  const headers = readHeaders(rawHeaders)
  const target = parseTarget(url, options.prefix)
  const claim = readClaim(target, headers)
  requireTimely(claim, options.now?.() ?? Date.now())
  const { secret, caller } = await findSecret(options, claim)
  // A signature for a region that this server does not have is wrong, as at Supabase Storage.
  if (!['auto', 'us-east-1', options.region].includes(claim.region)) throw wrongSignature()
  const key = requireSignature({ method, target, rawHeaders }, claim, secret)
  // A refused upload keeps its connection until the client has its answer.
  const body = () => request.iterator({ destroyOnReturn: false })
  return { method, target, headers, caller: await caller(), open: () => openPayload(body(), claim, key, headers) }
}

/** Finds the secret key of a claim. Whose rights the request has is known after its signature was checked. */
async function findSecret(
  { session, accessKeyId, secretAccessKey }: S3Options,
  claim: Claim,
): Promise<{ secret: string; caller: () => Promise<Caller> }> {
  const { sessionToken } = claim
  if (sessionToken === undefined && claim.accessKeyId === accessKeyId) {
    return {
      secret: secretAccessKey,
      caller: async () => ({ role: 'service_role', claims: { role: 'service_role' } }),
    }
  }
  if (sessionToken !== undefined && claim.accessKeyId === session.projectRef) {
    return { secret: session.anonKey, caller: () => readSession(session, sessionToken) }
  }
  throw new S3Error(403, 'InvalidAccessKeyId', 'The AWS access key ID that you provided does not exist in our records.')
}

async function readSession(session: S3Options['session'], token: string): Promise<Caller> {
  let claims: JWTPayload
  try {
    claims = await session.verifyToken(token)
  } catch (cause) {
    throw new S3Error(400, 'InvalidToken', 'The session token is not a valid access token of a user.', { cause })
  }
  const role = claims['role']
  if (role === 'anon' || role === 'authenticated' || role === 'service_role') return { role, claims }
  throw new S3Error(403, 'AccessDenied', 'The session token has no role that Storage knows.')
}

type Operation = (context: S3Context, request: S3Request) => Promise<Answer>

/** Parameters of any request: those of a presigned URL, and the name of the operation that the SDK adds. */
const common = /^(X-Amz-.*|x-id)$/
const listing =
  /^(list-type|prefix|delimiter|max-keys|encoding-type|start-after|continuation-token|marker|fetch-owner)$/
const getting = /^response-/

async function route(context: S3Context, request: S3Request): Promise<Answer> {
  const { method, target } = request
  const names = [...target.query.keys()].filter((name) => !common.test(name))
  const isOnly = (pattern: RegExp) => names.every((name) => pattern.test(name))
  const operation = findOperation(method, target, names, isOnly, request)
  if (operation) return operation(context, request)
  throw new S3Error(501, 'NotImplemented', `The local Storage has no operation ${method} ${names.join('&')}.`.trimEnd())
}

function findOperation(
  method: string,
  { bucket, key }: Target,
  names: string[],
  isOnly: (pattern: RegExp) => boolean,
  { headers }: S3Request,
): Operation | undefined {
  const isPlain = names.length === 0
  if (bucket === '') return method === 'GET' && isPlain ? listBuckets : undefined
  if (key === '') {
    if (method === 'HEAD' && isPlain) return headBucket
    if (method === 'POST' && names.join() === 'delete') return deleteObjects
    if (method !== 'GET') return undefined
    return names.join() === 'location' ? getBucketLocation : isOnly(listing) ? listObjects : undefined
  }
  if (method === 'GET' || method === 'HEAD') return isOnly(getting) ? getObject : undefined
  if (method === 'PUT' && isPlain) return headers.has('x-amz-copy-source') ? copyObject : putObject
  return method === 'DELETE' && isPlain ? deleteObject : undefined
}

/** Describes an error in XML. Errors that are not answers are logged, because the client gets no detail of them. */
function describeError(error: unknown, { method, url }: IncomingMessage): Answer {
  const [status, code, message] =
    error instanceof S3Error
      ? [error.status, error.code, error.message]
      : error instanceof StorageError
        ? [error.statusCode, error.code, error.message]
        : [500, 'InternalError', 'Internal Server Error']
  if (code === 'InternalError') console.error(`${method} ${url?.split('?')[0]} failed:`, error)
  const resource = (url ?? '').split('?')[0]
  const body = writeXml('Error', { Code: code, Message: message, Resource: resource })
  return {
    status,
    headers: { 'content-type': 'application/xml', 'content-length': String(Buffer.byteLength(body)) },
    body,
  }
}

function withoutBody({ status, headers }: Answer): Answer {
  return { status, headers }
}

async function send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer) {
  const isUnread = !request.readableEnded && hasBody(request)
  if (isUnread) response.setHeader('connection', 'close')
  response.writeHead(status, headers)
  if (body instanceof Readable) {
    // The connection breaks if the client goes away or the file cannot be read; both have seen that.
    await pipeline(body, response).catch(() => {})
    return
  }
  if (isUnread) {
    response.write(body ?? '')
    await drain(request)
    response.end()
  } else response.end(body)
}

function hasBody({ headers }: IncomingMessage): boolean {
  return 'transfer-encoding' in headers || Number(headers['content-length']) > 0
}
