/** Returns the handlers of these job types; all of them if `types` is undefined. Throws an Error that names unknown types. */
export function chooseHandlers<Handler>(
  handlers: Record<string, Handler>,
  types: string[] | undefined,
): Record<string, Handler> {
  if (types === undefined) return handlers
  const unknown = types.filter((type) => !Object.hasOwn(handlers, type))
  if (unknown.length > 0) {
    const known = Object.keys(handlers).join(', ')
    throw new Error(`WORKER_TYPES names unknown job types: ${unknown.join(', ')}. Use some of: ${known}.`)
  }
  return Object.fromEntries(Object.entries(handlers).filter(([type]) => types.includes(type)))
}
