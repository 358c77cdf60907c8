/**
 * Merges leaves with their paths into one object. The outputs that a step collects are inside its own output. A key may be any
 * key of a step, also `__proto__`, so only own properties are read and written.
 */
export function mergeOutputs(leaves: [string[], unknown][]): Record<string, unknown> {
  const all: Record<string, unknown> = {}
  for (const [path, value] of leaves) {
    let at = all
    for (const key of path.slice(0, -1)) {
      const next = Object.hasOwn(at, key) ? at[key] : undefined
      const isObject = typeof next === 'object' && next !== null && !Array.isArray(next)
      at = put(at, key, isObject ? next : {}) as Record<string, unknown>
    }
    put(at, path.at(-1) ?? '', value)
  }
  return all
}

function put(at: object, key: string, value: unknown): unknown {
  Object.defineProperty(at, key, { value, writable: true, enumerable: true, configurable: true })
  return value
}
