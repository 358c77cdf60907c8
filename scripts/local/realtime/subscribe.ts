import pg from 'pg'
import type { Checks } from './checks.ts'
import { type Condition, conditionSql, prepareConditions } from './conditions.ts'
import { ParameterError, type Parameters, readParameters } from './parameters.ts'
import type { Tables } from './tables.ts'

/** A binding of a channel, with its conditions for each table. */
export type Prepared = { parameters: Parameters; tables: Map<number, Condition[]> }

/**
 * Finds the tables of each binding and checks its filter; throws a {@link ParameterError} in Realtime's words. Ends early if
 * the bindings are not wanted any more.
 */
export async function prepareBindings(
  bindings: unknown[],
  role: string,
  published: { id: number; schema: string; name: string }[],
  isWanted: () => boolean,
  { tables, checks }: { tables: Tables; checks: Checks },
): Promise<Prepared[]> {
  const wanted = bindings.map(readParameters)
  const prepared: Prepared[] = []
  for (const parameters of wanted) {
    if (!isWanted()) break
    const found = published.filter(
      ({ schema, name }) =>
        (parameters.schema === '*' || parameters.schema === schema) &&
        (parameters.table === '*' || parameters.table === name),
    )
    if (found.length === 0)
      throw new ParameterError(
        'Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given ' +
          `connect parameters: [${describe(parameters)}]`,
      )
    const conditions = new Map<number, Condition[]>()
    for (const { id } of found) conditions.set(id, await prepareFor(id, parameters, role, { tables, checks }))
    prepared.push({ parameters, tables: conditions })
  }
  return prepared
}

async function prepareFor(
  id: number,
  parameters: Parameters,
  role: string,
  { tables, checks }: { tables: Tables; checks: Checks },
): Promise<Condition[]> {
  const table = await tables.describe(id, [role])
  try {
    return table ? await prepareConditions(parameters, table, role, { normalize, checkRegex, checkOperators }) : []
  } catch (error) {
    const reason =
      error instanceof pg.DatabaseError && !isOfServer(error)
        ? `ERROR ${error.code} (${nameOf(error.code)}) ${error.message}`
        : undefined
    if (reason === undefined && !(error instanceof ParameterError)) throw error
    throw new ParameterError(
      'Unable to subscribe to changes with given parameters. An exception happened so please check your connect ' +
        `parameters: [${describe(parameters)}]. Exception: ${reason ?? (error as Error).message}`,
    )
  }

  async function normalize(values: { text: string; sqlType: string; isList: boolean }[]): Promise<string[][]> {
    if (values.length === 0) return []
    // Uses the output function of the type: a cast of a boolean to text returns true instead of t.
    const parts = values.map(({ sqlType, isList }, at) =>
      isList
        ? `array(select format('%s', e) from unnest($${at + 1}::text::${sqlType}[]) as e where e is not null)`
        : `array[format('%s', $${at + 1}::text::${sqlType})]`,
    )
    const [row] = await checks.query(
      `select ${parts.map((part, at) => `${part} as v${at}`).join(', ')}`,
      values.map(({ text }) => text),
      role,
    )
    return values.map((_, at) => row?.[`v${at}`] ?? [])
  }

  /** Fails if the text is not a regular expression. */
  async function checkRegex(text: string): Promise<void> {
    await checks.query("select '' ~ $1::text", [text], role)
  }

  async function checkOperators(conditions: Condition[]): Promise<void> {
    const parts = conditions.map(
      (condition) =>
        `(select ${conditionSql(condition, pg.escapeLiteral)} from (select null::${condition.sqlType} as v) as typed)`,
    )
    if (parts.length > 0) await checks.query(`select ${parts.join(', ')}`, [], role)
  }
}

/** Whether Postgres could not answer: it stops, is full, or took too long. */
function isOfServer({ code = '' }: pg.DatabaseError): boolean {
  return /^(08|53|55|57|58|XX)/.test(code)
}

/** Writes parameters as Realtime's messages do. */
function describe({ event, schema, table, filters, select }: Parameters): string {
  const conditions = filters.map(
    ({ column, operator, value, isNegated }) =>
      `{${[column, operator, value].map((part) => JSON.stringify(part)).join(', ')}, ${isNegated}}`,
  )
  const columns = select === null ? 'nil' : JSON.stringify(select)
  return `event: ${event}, schema: ${schema}, table: ${table}, filters: [${conditions.join(', ')}], select: ${columns}`
}

const names: Record<string, string> = {
  '22003': 'numeric_value_out_of_range',
  '22007': 'invalid_datetime_format',
  '22021': 'character_not_in_repertoire',
  '22P02': 'invalid_text_representation',
  '2201B': 'invalid_regular_expression',
  '42501': 'insufficient_privilege',
  '42883': 'undefined_function',
}

function nameOf(code = ''): string {
  return names[code] ?? 'unknown_error'
}
