import { isObject } from './protocol.ts'

/** The operators of filters. */
const operators = [
  'eq',
  'neq',
  'lt',
  'lte',
  'gt',
  'gte',
  'in',
  'like',
  'ilike',
  'is',
  'match',
  'imatch',
  'isdistinct',
] as const

/** An operator of PostgREST that a filter may use. */
export type Operator = (typeof operators)[number]

/** A condition of a filter, as the client wrote it. The value of `in` is the literal of an array. */
export type Filter = { column: string; operator: Operator; value: string; isNegated: boolean }

/** The changes that a subscription asks for. */
export type Parameters = {
  event: '*' | 'INSERT' | 'UPDATE' | 'DELETE'
  /** `*` stands for all. */
  schema: string
  table: string
  filters: Filter[]
  /** The columns that the client wants; null for all. */
  select: string[] | null
}

/** Parameters that Realtime does not understand. */
export class ParameterError extends Error {}

/** Reads an element of `config.postgres_changes` as Realtime does; throws a {@link ParameterError} in its words. */
export function readParameters(given: unknown): Parameters {
  const { event, schema, table, filter, select: wanted } = isObject(given) ? given : {}
  const select = readSelect(wanted)
  const hasFilter = filter !== undefined && filter !== null
  if (typeof schema === 'string' && typeof table === 'string' && (!hasFilter || typeof filter === 'string')) {
    const filters = typeof filter === 'string' ? readFilters(filter) : []
    return make(schema, table, filters)
  }
  if (typeof schema === 'string' && table === undefined && !hasFilter) return make(schema, '*', [])
  if (typeof table === 'string' && schema === undefined && !hasFilter) return make('public', table, [])
  throw new ParameterError(
    `No subscription params provided. Please provide at least a \`schema\` or \`table\` to subscribe to: ${JSON.stringify(given)}`,
  )

  function make(schema: string, table: string, filters: Filter[]): Parameters {
    if (select && (schema === '*' || table === '*'))
      throw new ParameterError(
        'Column selection is not supported for wildcard subscriptions. Provide an explicit schema and table name.',
      )
    return { event: readEvent(event), schema, table, filters, select }
  }
}

function readEvent(event: unknown): Parameters['event'] {
  const name = typeof event === 'string' ? event.toUpperCase() : '*'
  return name === 'INSERT' || name === 'UPDATE' || name === 'DELETE' ? name : '*'
}

function readSelect(select: unknown): string[] | null {
  if (typeof select === 'string')
    throw new ParameterError(
      'Error parsing `select` params: expected a list of column name strings, e.g. select: ["col1", "col2"]',
    )
  const columns = Array.isArray(select) ? select.filter((column) => typeof column === 'string') : []
  return columns.length > 0 ? columns : null
}

/** Reads conditions that commas separate: all of them must hold. */
function readFilters(filter: string): Filter[] {
  const trimmed = filter.trim()
  return trimmed === '' ? [] : splitConditions(trimmed).map(readCondition)
}

/** Splits at the commas outside quotes and parentheses. A quote begins only where a value or an element begins. */
function splitConditions(filter: string): string[] {
  const parts: string[] = []
  let depth = 0
  let isQuoted = false
  let start = 0
  for (let at = 0; at < filter.length; at++) {
    const char = filter[at]
    if (isQuoted) {
      if (char === '\\') at++
      else if (char === '"') isQuoted = false
    } else if (char === '"' && '.(,'.includes(filter[at - 1] ?? '"')) isQuoted = true
    else if (char === '(') depth++
    else if (char === ')') depth = Math.max(0, depth - 1)
    else if (char === ',' && depth === 0) {
      parts.push(filter.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, filter.slice(start)]
}

function readCondition(text: string): Filter {
  const condition = text.trim()
  if (condition === '') throw filterError('filter must not contain empty segments (check for extra commas)')
  const [column, rest] = splitOnce(condition, '=')
  if (rest === undefined) throw filterError(JSON.stringify([condition]))
  const isNegated = rest.startsWith('not.')
  const comparison = isNegated ? rest.slice(4) : rest
  const [operator, value] = splitOnce(comparison, '.')
  if (value === undefined) throw filterError(JSON.stringify([comparison]))
  if (!isOperator(operator)) throw filterError(`["${operator}", "${value}"]`)
  return { column, operator, value: operator === 'in' ? readList(value) : unquote(value), isNegated }
}

function readList(value: string): string {
  if (!/^\(.*\)$/s.test(value)) throw filterError('`in` filter value must be wrapped by parentheses')
  return `{${value.slice(1, -1)}}`
}

/** Returns the text of a quoted value; a value that is not quoted as a whole stays as it is. */
function unquote(value: string): string {
  return /^"(?:[^"\\]|\\.)*"$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/gs, '$1') : value
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}

function filterError(reason: string): ParameterError {
  return new ParameterError(`Error parsing \`filter\` params: ${reason}`)
}

function isOperator(name: string): name is Operator {
  return (operators as readonly string[]).includes(name)
}
