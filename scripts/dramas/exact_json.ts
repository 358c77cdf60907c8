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
