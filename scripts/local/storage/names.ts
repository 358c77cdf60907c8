import { invalidBucketName, invalidKey, invalidMimeType, invalidRequest } from './errors.ts'

/** The characters that Storage allows in a key: those that S3 calls safe, and some more. */
const keyPattern = /^[A-Za-z0-9_/!.*'() &$=@;:+,?-]+$/
const bucketPattern = /^[A-Za-z0-9_!.*'() &$=@;:+,?-]{1,100}$/
const keyBytes = 1024

/** Refuses a key that is not a path below its bucket. */
export function requireKey(key: string): void {
  const isPath = key.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  if (!isPath || key.length > keyBytes || !keyPattern.test(key)) throw invalidKey(key)
}

/** Refuses a name that Storage refuses, also one that would leave the folder of files. */
export function requireBucketName(name: string): void {
  if (!bucketPattern.test(name) || name.trim() !== name || name === '.' || name === '..') throw invalidBucketName()
}

/**
 * Refuses a content type that the bucket does not allow; `image/*` allows every image. As in Storage, parameters count:
 * `text/plain` does not allow `text/plain;charset=UTF-8`.
 */
export function requireAllowedType(type: string, allowed: readonly string[] | null): void {
  if (!allowed || allowed.length === 0) return
  const [kind, detail] = type.split('/')
  const isAllowed = allowed.some((pattern) => {
    const [allowedKind, allowedDetail] = pattern.split('/')
    return allowedKind === kind && (allowedDetail === '*' || allowedDetail === detail)
  })
  if (detail === undefined || !isAllowed) throw invalidMimeType(type)
}

/** Refuses a content type that the header of a download cannot contain. */
export function requireHeaders(contentType: string | undefined, cacheControl: string | undefined): void {
  const isHeader = (text: string) => /^[\x21-\x7e](?:[\x20-\x7e]{0,998}[\x21-\x7e])?$/.test(text)
  if (contentType !== undefined && (!isHeader(contentType) || !contentType.includes('/')))
    throw invalidMimeType(contentType.slice(0, 100))
  if (cacheControl !== undefined && !isHeader(cacheControl)) throw invalidRequest('Invalid Cache-Control header')
}
