import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createRequire } from 'node:module'

/** The part of s3rver that we use; the package has no types. */
type S3rver = { callback(): RequestListener; configureBuckets(): Promise<unknown> }
type S3rverOptions = {
  directory: string
  silent: boolean
  vhostBuckets: boolean
  allowMismatchedSignatures: boolean
  configureBuckets: { name: string }[]
}

// The local S3 server as a process. Arguments: its folder, its port, a bucket with public objects, and private buckets.
const [directory = '', port = '0', publicBucket = '', ...privateBuckets] = process.argv.slice(2)
const Server = createRequire(import.meta.url)('@20minutes/s3rver') as new (options: S3rverOptions) => S3rver
const make = (allowMismatchedSignatures: boolean) =>
  new Server({
    directory,
    silent: true,
    vhostBuckets: false,
    allowMismatchedSignatures,
    configureBuckets: [publicBucket, ...privateBuckets].map((name) => ({ name })),
  })

// s3rver signs /bucket where the SDK signs /bucket/, so only requests for objects can have their signatures checked. An
// unknown access key is refused everywhere.
const strict = make(false)
const lenient = make(true)
await strict.configureBuckets()
const [forObjects, forBuckets] = [strict.callback(), lenient.callback()]
const server = createServer((request, response) => {
  const url = request.url ?? '/'
  // As the CDN must do in production: no browser then takes a picture for a page.
  response.setHeader('x-content-type-options', 'nosniff')
  // As the CORS rule of the bucket must do in production (docs/operations.md): pages of any origin may read objects.
  if (isPublic(request)) {
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-expose-headers', 'ETag')
  }
  if (isPreflight(request)) {
    const method = request.headers['access-control-request-method'] ?? ''
    const isAllowed = isPublic(request) && ['GET', 'HEAD'].includes(method)
    response.writeHead(isAllowed ? 204 : 403, {
      vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
      ...(isAllowed && {
        'access-control-allow-methods': 'GET, HEAD',
        'access-control-allow-headers': request.headers['access-control-request-headers'] ?? '',
        'access-control-max-age': '3600',
      }),
    })
    response.end()
    return
  }
  // s3rver accepts every region. Like Storage of Supabase, this server accepts its own and `auto`, and calls others a wrong
  // signature.
  if (isOfOtherRegion(request)) {
    response.writeHead(403, { 'content-type': 'application/xml' })
    response.end(
      '<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not match the signature you provided. Check your key and signing method.</Message></Error>',
    )
    return
  }
  // s3rver itself allows all requests without a signature.
  if (!isSigned(request) && !isPublic(request)) {
    response.writeHead(403, { 'content-type': 'application/xml' })
    response.end('<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>')
  } else if (isForeign(url)) {
    // s3rver itself serves every folder of its directory as a bucket.
    response.writeHead(404, { 'content-type': 'application/xml' })
    response.end('<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>')
  } else if (/^\/[^/?]*\/?(\?|$)/.test(url)) forBuckets(request, response)
  else forObjects(request, response)
}).listen(Number(port), '127.0.0.1')
await once(server, 'listening')

function isSigned({ url, headers }: IncomingMessage): boolean {
  return headers.authorization !== undefined || /[?&](X-Amz-)?Signature=/.test(url ?? '')
}

/** Whether a browser asks if a page may send a request. */
function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && 'access-control-request-method' in headers
}

/** Whether a request of signature version 4 is signed for another region: <key>/<day>/<region>/s3/aws4_request. */
function isOfOtherRegion({ url, headers }: IncomingMessage): boolean {
  const query = new URLSearchParams((url ?? '').split('?')[1])
  const scope = headers.authorization?.match(/Credential=([^,]+)/)?.[1] ?? query.get('X-Amz-Credential')
  const region = scope?.split('/').at(-3)
  return region !== undefined && !['us-east-1', 'auto'].includes(region)
}

/** Whether a URL names another bucket than those of the arguments, as the folders of earlier releases. */
function isForeign(url: string): boolean {
  const bucket = url.split(/[/?]/)[1] ?? ''
  return !/^\/(\?|$)/.test(url) && bucket !== publicBucket && !privateBuckets.includes(bucket)
}

/** Whether a request reads an object of the public bucket, like a browser that loads it from a CDN. */
function isPublic({ method = '', url = '' }: IncomingMessage): boolean {
  const [, bucket, key] = url.replace(/\?.*/, '').split('/', 3)
  return ['GET', 'HEAD', 'OPTIONS'].includes(method) && bucket === publicBucket && Boolean(key)
}
