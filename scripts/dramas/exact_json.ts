/** JSON in Node 22 and later, which TypeScript does not know yet. */
const exact = JSON as unknown as {
  rawJSON(text: string): object
  isRawJSON(value: unknown): boolean
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown
}

/**
 * Parses JSON without loss. A number that JavaScript would round or format differently, such as an id of 64 bits, becomes an
 * object that `JSON.stringify` writes unchanged.
 */
export function parseExactly(text: string): unknown {
  return exact.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? exact.rawJSON(source) : value,
  )
}

/** Formats a number as an id: 1e3 and 1000 are the same id. */
export function numberText(value: object): string {
  const text = JSON.stringify(value)
  return Number.isSafeInteger(Number(text)) ? String(Number(text)) : text
}

/** Whether this is a number that {@link parseExactly} left as it was written. */
export function isExactNumber(value: unknown): value is object {
  return exact.isRawJSON(value)
}

const marker = '\u0000number'

/**
 * Finds the first NaN or Infinity in a text that is otherwise JSON: some programs write numbers so. Returns its place, such as
 * `scenes[0].duration is NaN`, or undefined if something else is wrong, too.
 */
export function findNonNumber(text: string): string | undefined {
  const pieces: string[] = []
  let from = 0
  let isString = false
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]
    if (letter === '\\' && isString) at += 1
    else if (letter === '"') isString = !isString
    else if (!isString && (letter === 'N' || letter === 'I' || letter === '-')) {
      const [word] = /^(NaN|-?Infinity)/.exec(text.slice(at, at + 9)) ?? []
      if (word === undefined) continue
      pieces.push(text.slice(from, at), JSON.stringify(marker + word))
      at += word.length - 1
      from = at + 1
    }
  }
  if (pieces.length === 0) return undefined
  try {
    return findMarked(JSON.parse(pieces.join('') + text.slice(from)))
  } catch {
    return undefined
  }
}

function findMarked(root: unknown): string | undefined {
  const open: [value: unknown, place: string][] = [[root, '']]
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    const [value, place] = one
    if (typeof value === 'string' && value.startsWith(marker)) {
      return `${place.slice(0, 200) || 'it'} is ${value.slice(marker.length)}`
    }
    if (typeof value !== 'object' || value === null) continue
    const isList = Array.isArray(value)
    const entries = Object.entries(value).map(([key, child]): [unknown, string] => [
      child,
      isList ? `${place}[${key}]` : place === '' ? key : `${place}.${key}`,
    ])
    // The last one is read first, so that the first place in the text is found first.
    for (const entry of entries.reverse()) open.push(entry)
  }
  return undefined
}
