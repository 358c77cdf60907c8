import type { Operator, Parameters } from './parameters.ts'
import { ParameterError } from './parameters.ts'
import type { Column, Table } from './tables.ts'
import type { Row } from './values.ts'

/** A condition on a column of one table. */
export type Condition = {
  column: string
  operator: Operator
  isNegated: boolean
  /** The value as Postgres writes it; the elements of `in`. */
  values: string[]
  comparison: Column['comparison']
  sqlType: string
}

/** The questions about values that only Postgres can answer. */
export type ValueRules = {
  /** Returns texts as Postgres writes them in their types; throws if a text is not of its type. */
  normalize(values: { text: string; sqlType: string; isList: boolean }[]): Promise<string[][]>
  /** Throws if the text is not a regular expression. */
  checkRegex(text: string): Promise<void>
  /** Throws if the type of a condition has no such operator. */
  checkOperators(conditions: Condition[]): Promise<void>
}

/** The error of Postgres's exception P0001, which the SQL of Realtime raises for conditions. */
function refuse(message: string): ParameterError {
  return new ParameterError(`ERROR P0001 (raise_exception) ${message}`)
}

/**
 * Checks the filters and columns of a subscription against a table, as Realtime does: a role may only name columns that it may
 * select. Throws a {@link ParameterError} in Realtime's words.
 */
export async function prepareConditions(
  { filters, select }: Parameters,
  table: Table,
  role: string,
  rules: ValueRules,
): Promise<Condition[]> {
  const selectable = table.selectable.get(role)
  if (selectable === undefined) throw new ParameterError(`ERROR 42704 (undefined_object) role "${role}" does not exist`)
  const conditions = filters.map(({ column: name, operator, value, isNegated }) => {
    const column = table.columns.get(name)
    if (column === undefined || !selectable.has(name)) throw refuse(`invalid column for filter ${name}`)
    checkOperator(operator, value, column)
    const { comparison, sql_type: sqlType } = column
    return { column: name, operator, isNegated, values: [value], comparison: compare(operator, comparison), sqlType }
  })
  for (const name of select ?? []) if (!selectable.has(name)) throw refuse(`invalid column for select ${name}`)

  const typed = conditions.filter(({ operator }) => operator !== 'is')
  const normalized = await rules.normalize(
    typed.map(({ operator, values: [text = ''], sqlType }) => ({
      text,
      sqlType: isPattern(operator) ? 'text' : sqlType,
      isList: operator === 'in',
    })),
  )
  for (const [at, condition] of typed.entries()) {
    condition.values = normalized[at] ?? []
    if (condition.values.length > 100) throw refuse('too many values for `in` filter. Maximum 100')
  }
  // Postgres would refuse these at each change.
  for (const { operator, value } of filters) {
    if (operator === 'match' || operator === 'imatch') await rules.checkRegex(value)
    const isLike = operator === 'like' || operator === 'ilike'
    if (isLike && /(?<!\\)(\\\\)*\\$/.test(value)) throw refuse('LIKE pattern must not end with escape character')
  }
  await rules.checkOperators(conditions.filter(({ comparison, operator }) => comparison === 'sql' && operator !== 'is'))
  return conditions
}

function isPattern(operator: Operator): boolean {
  return ['like', 'ilike', 'match', 'imatch'].includes(operator)
}

/** Returns who compares: this process compares texts for equality, and integers; Postgres compares all other values. */
function compare(operator: Operator, comparison: Column['comparison']): Condition['comparison'] {
  if (operator === 'is' || comparison === 'integer') return isPattern(operator) ? 'sql' : comparison
  return ['eq', 'neq', 'in', 'isdistinct'].includes(operator) ? comparison : 'sql'
}

function checkOperator(operator: Operator, value: string, { type, sql_type, has_like, has_regex }: Column): void {
  if (operator === 'is') {
    if (!['null', 'true', 'false', 'unknown'].includes(value))
      throw refuse('invalid value for is filter: must be null, true, false, or unknown')
    if (value !== 'null' && type !== 'bool')
      throw refuse(`is ${value} filter requires a boolean column, got ${sql_type}`)
  }
  const isLike = operator === 'like' || operator === 'ilike'
  if (isPattern(operator) && !(isLike ? has_like : has_regex))
    throw refuse(`operator ${operator} requires a text-compatible column type, got ${sql_type}`)
}

/** Returns whether a row meets a condition; `sql` if only Postgres can tell. */
export function meets(condition: Condition, row: Row): boolean | 'sql' {
  const { operator, isNegated, values, comparison } = condition
  const value = row.get(condition.column)
  // The value did not change, so the message omits the value.
  if (value === undefined) return false
  const [first = ''] = values
  if (operator === 'is') return isTrue(value, first) !== isNegated
  if (value === null) return operator === 'isdistinct' && !isNegated
  if (comparison === 'sql') return 'sql'
  return compareWith(operator, value, values, comparison) !== isNegated
}

function isTrue(value: string | null, keyword: string): boolean {
  if (keyword === 'null' || keyword === 'unknown') return value === null
  return value === keyword[0]
}

function compareWith(operator: Operator, value: string, values: string[], comparison: 'integer' | 'text'): boolean {
  const [first = ''] = values
  switch (operator) {
    case 'eq':
      return value === first
    case 'neq':
    case 'isdistinct':
      return value !== first
    case 'in':
      return values.includes(value)
  }
  if (comparison !== 'integer') throw new Error(`Only Postgres knows the order of texts, for ${operator}.`)
  const [left, right] = [BigInt(value), BigInt(first)]
  switch (operator) {
    case 'lt':
      return left < right
    case 'lte':
      return left <= right
    case 'gt':
      return left > right
    default:
      return left >= right
  }
}

/** The condition as an expression on a parameter of type text[]: whether each value meets the condition. */
export function conditionSql(
  { operator, isNegated, values, sqlType }: Condition,
  quote: (text: string) => string,
): string {
  const [first = ''] = values
  const symbol = sqlOperators[operator]
  const right =
    operator === 'in' ? `any (array[${values.map(quote).join()}]::${sqlType}[])` : `${quote(first)}::${sqlType}`
  const comparison = operator === 'isdistinct' ? `v is distinct from ${right}` : `v ${symbol} ${right}`
  return isNegated ? `not (${comparison})` : comparison
}

const sqlOperators: Partial<Record<Operator, string>> = {
  eq: '=',
  neq: '<>',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
  in: '=',
  like: 'like',
  ilike: 'ilike',
  match: '~',
  imatch: '~*',
}
