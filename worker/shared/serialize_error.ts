/** An error as the log has it. */
export type LoggedError = {
  type: string
  message: string
  code?: string
  slug?: string
  stack?: string
  cause?: LoggedError
  errors?: LoggedError[]
  /** How many causes and errors the line omits. Counts up to 25,000. */
  left_out?: number
}

/** Causes of causes, and the errors of an AggregateError, count together. */
const loggedMax = 6
const countedMax = 25_000
const messageMaxBytes = 2000
const stackMaxBytes = 3000
const wordMaxBytes = 100

/**
 * Describes any thrown value for the log, in 32 KiB at most. Never throws, also if causes form a circle or a getter throws.
 *
 * Keeps only type, message, code, slug and stack of an error, because pg puts whole rows into `detail`.
 */
export function serializeError(error: unknown): LoggedError {
  const logged = new Map<unknown, LoggedError>()
  let top: LoggedError | undefined
  let count = 0
  for (const { value, parent, isCause } of walkErrors(error)) {
    count += 1
    if (count > loggedMax) continue
    const one = describe(value)
    const above = logged.get(parent)
    logged.set(value, one)
    top ??= one
    if (above !== undefined && isCause) above.cause = one
    else if (above !== undefined) above.errors = [...(above.errors ?? []), one]
  }
  return { ...(top as LoggedError), ...(count > loggedMax && { left_out: count - loggedMax }) }
}

/**
 * Lists a thrown value, then its cause and the errors of an AggregateError, then theirs: the nearest first, each object once,
 * 25,000 at most. Use it for everything that follows `cause`, because causes can form a circle.
 */
export function* walkErrors(error: unknown): Generator<{ value: unknown; parent: unknown; isCause: boolean }> {
  const seen = new Set<unknown>([error])
  const found = [{ value: error, parent: undefined as unknown, isCause: false }]
  const add = (value: unknown, parent: unknown, isCause: boolean) => {
    if (value === undefined || seen.has(value)) return
    if (typeof value === 'object') seen.add(value)
    found.push({ value, parent, isCause })
  }
  // The list grows while it is read.
  for (const { value, parent, isCause } of found) {
    yield { value, parent, isCause }
    if (found.length >= countedMax) continue
    add(read(value, 'cause'), value, true)
    const errors = read(value, 'errors')
    const length = isArray(errors) ? Number(read(errors, 'length')) : 0
    for (let index = 0; index < length && found.length < countedMax; index++) {
      add(read(errors, String(index)), value, false)
    }
  }
}

/** Returns a text for any value. Never throws. */
export function toText(value: unknown): string {
  try {
    return String(value)
  } catch {
    return 'A value that cannot be converted to text.'
  }
}

/** Cuts a text so that it has about `maxBytes` bytes as JSON. */
export function clip(text: string, maxBytes: number): string {
  const sizeOf = (part: string) => Buffer.byteLength(JSON.stringify(part)) - 2
  let kept = text.slice(0, maxBytes)
  for (let bytes = sizeOf(kept); bytes > maxBytes; bytes = sizeOf(kept)) {
    kept = kept.slice(0, Math.floor((kept.length * maxBytes) / bytes))
  }
  return kept.length === text.length ? text : `${kept}… (${text.length} characters)`
}

function describe(value: unknown): LoggedError {
  const said = read(value, 'message')
  if (typeof said !== 'string') return { type: nameOf(value), message: clip(toText(value), messageMaxBytes) }
  const message = clip(said, messageMaxBytes)
  const code = read(value, 'code')
  const slug = read(value, 'slug')
  const stack = read(value, 'stack')
  return {
    type: nameOf(value),
    message,
    ...(['string', 'number'].includes(typeof code) && { code: clip(String(code), wordMaxBytes) }),
    ...(typeof slug === 'string' && { slug: clip(slug, wordMaxBytes) }),
    // A stack begins with the message, which may be too long.
    ...(typeof stack === 'string' && {
      stack: clip(
        stack.replace(said, () => message),
        stackMaxBytes,
      ),
    }),
  }
}

function nameOf(value: unknown): string {
  const name = read(value, 'name')
  return typeof name === 'string' && name !== '' ? clip(name, wordMaxBytes) : typeof value
}

/** Reads a property. Undefined if a getter or a proxy throws. */
function read(value: unknown, key: string): unknown {
  try {
    return (value as Record<string, unknown> | null | undefined)?.[key]
  } catch {
    return undefined
  }
}

/** Array.isArray throws for a revoked proxy. */
function isArray(value: unknown): value is unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}
