import pg from 'pg'

/**
 * An error as Supabase Storage answers it: `{ statusCode, code, error, message }`. Storage answers HTTP 400 to most of them,
 * also to `statusCode` 404; `status` is the HTTP status.
 */
export class StorageError extends Error {
  /** The status that the JSON names, and the status that the S3 protocol uses. */
  readonly statusCode: number
  /** Storage's code, which is S3's where S3 has one: NoSuchKey, EntityTooLarge, … */
  readonly code: string
  /** The name that the error had before Storage had codes. For newer errors, the same as the code. */
  readonly error: string
  readonly status: number

  constructor(
    statusCode: number,
    code: string,
    message: string,
    options: { error?: string; status?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.statusCode = statusCode
    this.code = code
    this.error = options.error ?? code
    this.status = options.status ?? (statusCode >= 500 ? statusCode : 400)
  }
}

export const noSuchBucket = () =>
  new StorageError(404, 'NoSuchBucket', 'Bucket not found', { error: 'Bucket not found' })
export const noSuchKey = () => new StorageError(404, 'NoSuchKey', 'Object not found', { error: 'not_found' })
export const keyExists = () =>
  new StorageError(409, 'KeyAlreadyExists', 'The resource already exists', { error: 'Duplicate' })
export const invalidKey = (key: string) => new StorageError(400, 'InvalidKey', `Invalid key: ${key}`)
export const invalidBucketName = () =>
  new StorageError(400, 'InvalidBucketName', 'Bucket name invalid', { error: 'Invalid Input' })
export const invalidRequest = (message: string) => new StorageError(400, 'InvalidRequest', message)
export const invalidMimeType = (type: string) =>
  new StorageError(415, 'InvalidMimeType', `mime type ${type} is not supported`, { error: 'invalid_mime_type' })
export const tooLarge = (thing = 'object') =>
  new StorageError(413, 'EntityTooLarge', `The ${thing} exceeded the maximum allowed size`, {
    error: 'Payload too large',
  })
export const accessDenied = (message: string, status?: number) =>
  new StorageError(403, 'AccessDenied', message, { error: 'Unauthorized', ...(status && { status }) })
/** A feature of Supabase Storage that the local server does not have. */
export const notBuilt = (feature: string) =>
  new StorageError(501, 'NotImplemented', `The local Storage server has no ${feature}. Try this on hosted Supabase.`)

/** Translates an error of Postgres as Storage does. Returns any other error as it is. */
export function fromPostgres(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error
  const options = { cause: error }
  switch (error.code) {
    case '42501':
      return new StorageError(
        403,
        'AccessDenied',
        error.message.includes('row-level security') ? 'new row violates row-level security policy' : error.message,
        { error: 'Unauthorized', ...options },
      )
    case '23505':
      return new StorageError(409, 'ResourceAlreadyExists', 'The resource already exists', {
        error: 'Duplicate',
        ...options,
      })
    case '23503':
      return error.detail?.includes('is still referenced')
        ? new StorageError(
            409,
            'ResourceReferenced',
            'The resource could not be updated or removed due to a foreign key constraint',
            options,
          )
        : new StorageError(404, 'InvalidRequest', 'The related resource does not exist', options)
    case '55P03':
      return new StorageError(423, 'ResourceLocked', 'The resource is locked', options)
    case '57014':
      return new StorageError(544, 'DatabaseTimeout', 'The connection to the database timed out', options)
    case '25006':
      return new StorageError(
        503,
        'DatabaseReadOnly',
        'The database is currently in read-only mode. Please try again later.',
        options,
      )
    // The last two: a character that Postgres cannot store.
    case '22P02':
    case '22021':
    case '22P05':
      return new StorageError(400, 'InvalidParameter', error.message, options)
    default:
      // A policy or a trigger of the database failed; the developer of the policy reads this message.
      return new StorageError(500, 'DatabaseError', `database error, code: ${error.code}: ${error.message}`, options)
  }
}
