import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
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

// The local S3 server as a process of its own: its folder, its port, and the buckets that it makes.
const [directory = '', port = '0', ...buckets] = process.argv.slice(2)
const Server = createRequire(import.meta.url)('@20minutes/s3rver') as new (options: S3rverOptions) => S3rver
const make = (allowMismatchedSignatures: boolean) =>
  new Server({
    directory,
    silent: true,
    vhostBuckets: false,
    allowMismatchedSignatures,
    configureBuckets: buckets.map((name) => ({ name })),
  })

// s3rver signs /bucket where the SDK signs /bucket/, so only requests for objects can have their signatures checked. A
// request without a signature is allowed, as by a CDN; an unknown access key is refused everywhere.
const strict = make(false)
const lenient = make(true)
await strict.configureBuckets()
const [forObjects, forBuckets] = [strict.callback(), lenient.callback()]
const server = createServer((request, response) =>
  (/^\/[^/?]*\/?(\?|$)/.test(request.url ?? '') ? forBuckets : forObjects)(request, response),
).listen(Number(port), '127.0.0.1')
await once(server, 'listening')
