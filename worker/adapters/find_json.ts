/** The effort of one search. A text full of brackets that never close takes a twentieth of a second. */
const effortMax = 2 ** 22
/** The effort of one piece, in addition to its characters: parsing the piece and comparing it with a schema. */
const pieceEffort = 500
/** How often a value may be encoded as the text of another one. */
const levelsMax = 3

/**
 * Finds the JSON object or array in the text of a model. The JSON may be in a code fence, after an echo of the schema, or before
 * a tail, or may be encoded as a JSON string. Tries the whole text first, then each balanced piece from the left; of two nested
 * pieces, the outer one first. Returns what `accept` returns for the first piece that it does not refuse with undefined; or
 * undefined. Texts in the value have no U+0000 and no half surrogate pair, because Postgres cannot store these.
 */
export function findJson<Value>(
  text: string,
  accept: (value: unknown) => Value | undefined,
  level = 0,
): Value | undefined {
  const whole = parse(withoutFence(text))
  if (typeof whole === 'string' && level < levelsMax) return findJson(whole, accept, level + 1)
  if (typeof whole === 'object') {
    const accepted = accept(whole)
    if (accepted !== undefined) return accepted
  }
  let effort = effortMax
  const opening = /[{[]/g
  for (let found = opening.exec(text); found !== null && effort > 0; found = opening.exec(text)) {
    const end = findEnd(text, found.index)
    effort -= (end ?? text.length) - found.index + pieceEffort
    if (end === undefined) continue
    const value = parse(text.slice(found.index, end))
    const accepted = typeof value === 'object' ? accept(value) : undefined
    if (accepted !== undefined) return accepted
  }
  return undefined
}

/** Returns the index after the bracket that closes the one at `start`; undefined if none does. Skips brackets in strings. */
function findEnd(text: string, start: number): number | undefined {
  let depth = 0
  const mark = /["{}[\]]/g
  mark.lastIndex = start
  for (let found = mark.exec(text); found !== null; found = mark.exec(text)) {
    if (found[0] === '"') {
      const end = endOfString(text, found.index)
      if (end === undefined) return undefined
      mark.lastIndex = end
    } else if (found[0] === '{' || found[0] === '[') depth += 1
    else depth -= 1
    if (depth === 0) return mark.lastIndex
  }
  return undefined
}

/** Returns the index after the quote that ends the string at `start`; undefined if none does. */
function endOfString(text: string, start: number): number | undefined {
  for (let index = start + 1; index < text.length; index++) {
    if (text[index] === '\\') index += 1
    else if (text[index] === '"') return index + 1
  }
  return undefined
}

/** Returns an object, an array or a string; undefined for any other text. */
function parse(text: string): object | string | undefined {
  try {
    const value: unknown = isStorable(text) ? JSON.parse(text) : JSON.parse(text, clean)
    return (typeof value === 'object' && value !== null) || typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !/\\u(0000|d[89a-f])/i.test(text)
}

function clean(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\u0000', '').toWellFormed() : value
}

/** Returns the content of a text that is one code fence, else the text. */
function withoutFence(text: string): string {
  const trimmed = text.trim()
  const begin = /^```\w*\s/.exec(trimmed)?.[0].length
  return begin !== undefined && trimmed.endsWith('```') ? trimmed.slice(begin, -3) : trimmed
}
