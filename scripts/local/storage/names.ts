import { invalidBucketName, invalidKey, invalidMimeType } from './errors.ts'

/** The characters that Storage allows in a key: those that S3 calls safe, and some more. */
const keyPattern = /^[A-Za-z0-9_/!.*'() &$=@;:+,?-]+$/
const bucketPattern = /^[A-Za-z0-9_!.*'() &$=@;:+,?-]{1,100}$/
const keyBytes = 1024

/** Refuses a key that is not a path below its bucket. */
export function requireKey(key: string): void {
  const isPath = key.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  if (!isPath || key.length > keyBytes || !keyPattern.test(key)) throw invalidKey(key)
}

export function requireBucketName(name: string): void {
  if (!bucketPattern.test(name) || name.trim() !== name || name === '.' || name === '..') throw invalidBucketName()
}

/** Refuses a content type that the bucket does not allow; `image/*` allows every image, and `*` allows everything. */
export function requireAllowedType(type: string, allowed: readonly string[] | null): void {
  if (!allowed || allowed.length === 0) return
  const [kind, detail] = readType(type)
  if (!kind || !detail) throw invalidMimeType(type)
  const isAllowed = allowed.some((pattern) => {
    const [allowedKind, allowedDetail] = readType(pattern)
    return pattern === '*' || (allowedKind === kind && (allowedDetail === '*' || allowedDetail === detail))
  })
  if (!isAllowed) throw invalidMimeType(type)
}

/** Splits `Image/PNG; charset=x` into `image` and `png`. */
function readType(type: string): string[] {
  return (type.split(';')[0] ?? '').trim().toLowerCase().split('/')
}
