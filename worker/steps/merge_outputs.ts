/**
 * Leaves with their paths, as one object: what a step collects stands inside its own output. A key is whatever a step is
 * called, `__proto__` too, so that nothing is read or written but own properties.
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
