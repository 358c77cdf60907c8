import { S3Error } from './s3_error.ts'

/** The state of an object that conditions compare with. */
export type State = { eTag: string; modifiedAt: Date }

/**
 * Throws if the object is not the one that the request expects. `prefix` is that of the conditions on a copy's source. (The
 * real Storage answers If-Match as if the header was not there: compare the ETag of the answer, too.)
 */
export function requireUnchanged(headers: ReadonlyMap<string, string>, state: State, prefix = ''): void {
  const match = headers.get(`${prefix}if-match`)
  const since = Date.parse(headers.get(`${prefix}if-unmodified-since`) ?? '')
  const isOther = match === undefined ? wasChangedAfter(state, since) : !matches(match, state.eTag)
  if (isOther) throw preconditionFailed()
}

/** Whether the client has this state of the object already. */
export function isUnchanged(headers: ReadonlyMap<string, string>, state: State, prefix = ''): boolean {
  const match = headers.get(`${prefix}if-none-match`)
  if (match !== undefined) return matches(match, state.eTag)
  const since = Date.parse(headers.get(`${prefix}if-modified-since`) ?? '')
  return !Number.isNaN(since) && !wasChangedAfter(state, since)
}

/** The answer if an `If-Match` or `If-Unmodified-Since` does not hold. */
export function preconditionFailed(): S3Error {
  return new S3Error(412, 'PreconditionFailed', 'At least one of the preconditions you specified did not hold.')
}

function wasChangedAfter({ modifiedAt }: State, time: number): boolean {
  // Dates in headers have no milliseconds.
  return Math.floor(modifiedAt.getTime() / 1000) * 1000 > time
}

function matches(header: string, eTag: string): boolean {
  const bare = (text: string) => text.trim().replace(/^(?:W\/)?"(.*)"$/, '$1')
  return header.trim() === '*' || header.split(',').some((one) => bare(one) === bare(eTag))
}
