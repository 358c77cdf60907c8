/**
 * Returns the handlers of the job types in `WORKER_TYPES` (all of them without the variable) that `WORKER_EXCLUDED_TYPES` does
 * not name. Throws an Error that names unknown types. `left.types` are types that this process cannot run without `left.need`:
 * `WORKER_TYPES` may not name them.
 */
export function chooseHandlers<Handler>(
  handlers: Record<string, Handler>,
  { WORKER_TYPES: types, WORKER_EXCLUDED_TYPES: excluded = [] }: { [variable in Variable]?: string[] | undefined },
  left: { types: string[]; need: string } = { types: [], need: '' },
): Record<string, Handler> {
  requireKnown(handlers, 'WORKER_TYPES', types ?? [])
  requireKnown(handlers, 'WORKER_EXCLUDED_TYPES', excluded)
  const named = left.types.filter((type) => types?.includes(type))
  if (named.length > 0) throw new Error(`WORKER_TYPES names ${named.join(', ')}. Set ${left.need} for these types.`)
  const avoided = [...excluded, ...left.types]
  const isChosen = (type: string) => (types?.includes(type) ?? true) && !avoided.includes(type)
  return Object.fromEntries(Object.entries(handlers).filter(([type]) => isChosen(type)))
}

type Variable = 'WORKER_TYPES' | 'WORKER_EXCLUDED_TYPES'

function requireKnown(handlers: object, variable: Variable, types: string[]): void {
  const unknown = types.filter((type) => !Object.hasOwn(handlers, type))
  if (unknown.length === 0) return
  const known = Object.keys(handlers).join(', ')
  throw new Error(`${variable} names unknown job types: ${unknown.join(', ')}. Use some of: ${known}.`)
}
