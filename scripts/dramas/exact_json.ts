/** Of Node 22 and later; TypeScript does not know it yet. */
const exact = JSON as unknown as {
  rawJSON(text: string): object
  isRawJSON(value: unknown): boolean
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown
}

/**
 * Parses JSON without loss: a number that JavaScript would round or write otherwise, such as an id of 64 bits, becomes an object
 * that `JSON.stringify` writes as it was.
 */
export function parseExactly(text: string): unknown {
  return exact.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? exact.rawJSON(source) : value,
  )
}

/** A number as an id: the same for all ways to write it. */
export function numberText(value: object): string {
  const text = JSON.stringify(value)
  return Number.isSafeInteger(Number(text)) ? String(Number(text)) : text
}

/** Whether this is a number that stayed as it was written. */
export function isExactNumber(value: unknown): value is object {
  return exact.isRawJSON(value)
}
