/** JSON has more levels than the gateway forwards. */
export class JsonTooDeep extends Error {}

/**
 * The most levels of JSON that the gateway forwards. Postgres cannot read more than about 16,000 levels, and newer versions of
 * PostgREST then answer 500. A document may have 100 levels, which Postgres counts.
 */
export const maxLevels = 1000

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = Buffer.from('"\\[]{}')

/** Whether a body of this length can have too many levels. NaN: the length is unknown. */
export function mayBeTooDeep(bytes: number): boolean {
  return Number.isNaN(bytes) || bytes > 2 * maxLevels
}

/** Throws {@link JsonTooDeep} if too many brackets and braces are open. Accepts any bytes, also those that are not JSON. */
export function requireDepth(json: Buffer): void {
  let level = 0
  let isInString = false
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]
    if (byte === quote) isInString = !isInString
    else if (isInString && byte === backslash) at++
    else if (isInString) continue
    else if (byte === openBracket || byte === openBrace) level++
    else if (byte === closeBracket || byte === closeBrace) level--
    if (level > maxLevels) throw new JsonTooDeep()
  }
}
