/** A refusal with GoTrue's error code, such as `invalid_credentials`, and its HTTP status. */
export class AuthError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** The version of the API from which error codes are texts. Clients ask for it in a header. */
export const apiVersion = '2024-01-01'

/** Returns the body of a refusal, as GoTrue writes it for clients of this API version. */
export function errorBody({ status, code, message }: AuthError, version: unknown): object {
  const weak = code === 'weak_password' && { weak_password: { reasons: ['length'] } }
  return typeof version === 'string' && version >= apiVersion
    ? { code, message, ...weak }
    : { code: status, error_code: code, msg: message, ...weak }
}

/** Returns the refusal that a client sees for an error. An unexpected error gets no details. */
export function asRefusal(error: unknown): AuthError {
  if (error instanceof AuthError) return error
  const { statusCode, message } = error as { statusCode?: number; message: string }
  if (statusCode !== undefined && statusCode < 500) return new AuthError(statusCode, 'validation_failed', message)
  return new AuthError(500, 'unexpected_failure', 'Unexpected failure, please check server logs for more information')
}
