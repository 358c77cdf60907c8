import { S3Error } from './s3_error.ts'

/** The target of a request, decoded once: the signature is checked on the same text that the operations read. */
export type Target = {
  /** The decoded path, as the client sees it: with the prefix that the gateway strips. */
  path: string
  /** Empty for a request to the service itself. */
  bucket: string
  /** Empty for a request to a bucket. */
  key: string
  query: ReadonlyMap<string, string>
}

/** The path of the endpoint below the prefix that the gateway strips. */
const root = '/s3'

/** Parses the URL of a request, such as `/s3/bucket/key?list-type=2`. Refuses what a signature could be ambiguous about. */
export function parseTarget(url: string, prefix: string): Target {
  const [rawPath = '', ...rest] = url.split('?')
  const path = decode(rawPath)
  if (path !== root && !path.startsWith(`${root}/`)) throw new S3Error(404, 'NoSuchKey', 'The path is not in /s3.')
  const [bucket = '', ...segments] = path.slice(root.length + 1).split('/')
  const query = new Map<string, string>()
  for (const part of rest.join('?').split('&')) {
    if (part === '') continue
    const [name = '', ...value] = part.split('=')
    const decoded = decode(name)
    if (query.has(decoded)) {
      throw new S3Error(400, 'InvalidArgument', `The query has "${decoded}" twice. Send each parameter once.`)
    }
    query.set(decoded, decode(value.join('=')))
  }
  return { path: prefix + path, bucket, key: segments.join('/'), query }
}

function decode(text: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch (cause) {
    throw new S3Error(400, 'InvalidURI', 'The URL is not valid UTF-8. Escape it as encodeURIComponent does.', { cause })
  }
  // Postgres has no text with this character.
  if (decoded.includes('\0')) throw new S3Error(400, 'InvalidURI', 'The URL contains %00. Remove it.')
  return decoded
}

/** Escapes text as signature version 4 asks: all but letters, digits and `-._~`. */
export function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
