import type { DatabaseError, FieldDef, QueryArrayResult } from 'pg'

/** Formats the result of a statement: a table, or the name of the command. */
export function formatResult({ fields, rows, command, rowCount }: QueryArrayResult<(string | null)[]>): string {
  if (fields.length === 0) return [command, rowCount].filter((part) => part !== null).join(' ')
  const cells = rows.map((row) => row.map((cell) => (cell ?? '').split('\n')))
  const widths = fields.map(({ name }, column) =>
    Math.max(name.length, ...cells.flatMap((row) => (row[column] ?? []).map((line) => line.length))),
  )
  const isNumber = fields.map(({ dataTypeID }) => numberTypes.has(dataTypeID))
  const line = (parts: string[]) =>
    parts
      .map((part, column) => (isNumber[column] ? part.padStart(widths[column] ?? 0) : part.padEnd(widths[column] ?? 0)))
      .join(' | ')
      .trimEnd()
  return [
    line(fields.map(({ name }: FieldDef) => name)),
    widths.map((width) => '-'.repeat(width)).join('-+-'),
    // A value of several lines takes several lines of the table.
    ...cells.flatMap((row) =>
      Array.from({ length: Math.max(...row.map((cell) => cell.length)) }, (_one, n) =>
        line(row.map((cell) => cell[n] ?? '')),
      ),
    ),
    `(${rows.length} ${rows.length === 1 ? 'row' : 'rows'})`,
  ].join('\n')
}

/** int8, int2, int4, oid, float4, float8, numeric. */
const numberTypes = new Set([20, 21, 23, 26, 700, 701, 1700])

/** Formats an error, with the line of the statement and a mark below the position. */
export function formatError(error: DatabaseError, text: string): string {
  const { message, detail, hint, code, position, where } = error
  return [
    `ERROR:  ${code}: ${message}`,
    ...(position ? markPlace(text, Number(position) - 1) : []),
    ...(detail ? [`DETAIL:  ${detail}`] : []),
    ...(hint ? [`HINT:  ${hint}`] : []),
    ...(where ? [`CONTEXT:  ${where}`] : []),
  ].join('\n')
}

function markPlace(text: string, offset: number): string[] {
  // Postgres counts characters, not UTF-16 units.
  const before = [...text].slice(0, offset).join('')
  const number = before.split('\n').length
  const start = before.lastIndexOf('\n') + 1
  const head = `LINE ${number}: `
  const line = text.slice(start).split('\n')[0] ?? ''
  return [`${head}${line}`, `${' '.repeat(head.length + [...before.slice(start)].length)}^`]
}
