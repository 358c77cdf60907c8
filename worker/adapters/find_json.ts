/** How many characters are searched in all: a tenth of a second for a text full of brackets that never close. */
const effortMax = 2 ** 23

/**
 * Finds the JSON object or array that `accept` takes in the text of a model, which may stand in a code fence, after an echo of
 * the schema, or before a tail. Tries the whole text first, then each balanced piece from the left; of two nested pieces the
 * outer one first. Returns what `accept` returned, or undefined if it took no piece.
 */
export function findJson<Value>(text: string, accept: (value: unknown) => Value | undefined): Value | undefined {
  const whole = parse(text)
  if (whole !== undefined) {
    const accepted = accept(whole)
    if (accepted !== undefined) return accepted
  }
  let effort = effortMax
  const opening = /[{[]/g
  for (let found = opening.exec(text); found !== null && effort > 0; found = opening.exec(text)) {
    const end = findEnd(text, found.index)
    effort -= (end ?? text.length) - found.index
    if (end === undefined) continue
    const value = parse(text.slice(found.index, end))
    const accepted = value === undefined ? undefined : accept(value)
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

/** Returns an object or array, or undefined for any other text. */
function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
