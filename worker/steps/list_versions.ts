/** Returns `{ type: version }` of handlers, bound or not. A handler without a version has version 1. */
export function listVersions(handlers: Record<string, { readonly version?: number }>): Record<string, number> {
  return Object.fromEntries(Object.entries(handlers).map(([type, { version = 1 }]) => [type, version]))
}
