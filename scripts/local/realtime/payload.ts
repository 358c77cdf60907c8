import type { Change, Relation } from './stream.ts'
import type { Column, Table } from './tables.ts'
import { type Row, toJson } from './values.ts'

/** Returns how `to_jsonb` writes a value that only Postgres can write. */
export type AskedJson = (sqlType: string, text: string) => string | null

/** Above this size of a change, only values of up to 64 bytes are sent, as Supabase Realtime is configured. */
const maxBytes = 1024 * 1024

/** Lists the values of a change that only Postgres can write as JSON. */
export function listUnwritten(change: Change, table: Table): { sqlType: string; text: string }[] {
  const found: { sqlType: string; text: string }[] = []
  for (const row of [change.record, change.identity])
    for (const [name, text] of row ?? []) {
      const column = columnOf(table, change.relation, name)
      if (column && text !== null && toJson(column.kind, text) === undefined)
        found.push({ sqlType: column.sql_type, text })
    }
  return found
}

/** Writes a change as JSON, with the columns that the role may select and the client wants. */
export function writeChange(
  change: Change,
  table: Table,
  { role, select }: { role: string; select: string[] | null },
  asked: AskedJson,
): string {
  const selectable = table.selectable.get(role)
  const isSent = (name: string) =>
    selectable?.has(name) === true && (select === null || select.includes(name) || table.key.includes(name))
  const isTooLarge = change.bytes > maxBytes
  const write = (row: Row, isIncluded: (name: string) => boolean) => {
    const parts: string[] = []
    for (const [name, text] of row) {
      if (!isIncluded(name)) continue
      const column = columnOf(table, change.relation, name)
      if (!column) continue
      const json = toJson(column.kind, text) ?? asked(column.sql_type, text ?? '') ?? 'null'
      if (!isTooLarge || Buffer.byteLength(json) <= 64) parts.push(`${JSON.stringify(name)}:${json}`)
    }
    return `{${parts.join()}}`
  }

  const columns: string[] = []
  for (const { name, type } of table.columns.values())
    if (isSent(name)) columns.push(`{"name":${JSON.stringify(name)},"type":${JSON.stringify(type)}}`)
  const parts = [
    ...head(change, table),
    `"commit_timestamp":"${change.committedAt.toISOString()}"`,
    `"columns":[${columns.join()}]`,
    `"errors":${isTooLarge ? '["Error 413: Payload Too Large"]' : 'null'}`,
  ]
  if (change.record) parts.push(`"record":${write(change.record, isSent)}`)
  // A policy cannot be asked about a deleted row, so a table with policies shows only the key.
  const isOldSent = (name: string) =>
    isSent(name) && (change.type === 'UPDATE' || !table.hasRls || table.key.includes(name))
  if (change.identity) parts.push(`"old_record":${write(change.identity, isOldSent)}`)
  return `{${parts.join()}}`
}

/** Writes a change of which the role may know nothing. */
export function writeRefusal(change: Change, table: Table, error: string): string {
  const parts = [
    ...head(change, table),
    '"commit_timestamp":null',
    '"columns":[]',
    `"errors":[${JSON.stringify(error)}]`,
  ]
  if (change.record) parts.push('"record":{}')
  if (change.type === 'UPDATE') parts.push('"old_record":{}')
  return `{${parts.join()}}`
}

function head({ type }: Change, { schema, name }: Table): string[] {
  return [`"schema":${JSON.stringify(schema)}`, `"table":${JSON.stringify(name)}`, `"type":"${type}"`]
}

/** The column of a value. If the column has another type now, its values are texts. */
function columnOf(table: Table, relation: Relation, name: string): Column | undefined {
  const column = table.columns.get(name)
  if (!column) return undefined
  const was = relation.columns.find((candidate) => candidate.name === name)
  return was?.typeId === column.type_id ? column : { ...column, kind: 'text' }
}
