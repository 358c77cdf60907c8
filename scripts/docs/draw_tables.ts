import type { Table } from './catalog.ts'
import { looseReferences } from './loose_references.ts'

/** A module of db/modules with its tables, and what its comments.sql says about each of them. */
export type Module = { name: string; tables: { table: Table; comment: string }[] }

/**
 * The page of a module's tables: a Mermaid diagram with columns, keys and relations, and a line for each table.
 * Tables of other modules that it refers to have a box without columns.
 */
export function drawTables({ name, tables }: Module): string {
  const own = tables.map(({ table }) => table)
  return `# Tables of ${name}

Generated from \`db/catalog.txt\` by \`npm run docs:pictures\`. Do not edit.

\`\`\`mermaid
erDiagram
${own.map(drawEntity).join('\n')}
${own.flatMap((table) => [...drawReferences(table), ...drawLooseReferences(table)]).join('\n')}
\`\`\`

PK: primary key. FK: foreign key. UK: unique alone. Columns marked "null" may be null. Dotted lines are references without a
foreign key.

| table | content |
|---|---|
${tables.map(({ table, comment }) => `| \`${nameOf(table)}\` | ${comment.replaceAll('|', '\\|')} |`).join('\n')}
`
}

function drawEntity(table: Table): string {
  const columns = table.columns.map(({ name, type, isRequired }) => {
    const keys = [
      ...(table.key.includes(name) ? ['PK'] : []),
      ...(table.references.some(({ columns }) => columns.includes(name)) ? ['FK'] : []),
      ...(table.unique.some((columns) => columns.length === 1 && columns[0] === name && !table.key.includes(name))
        ? ['UK']
        : []),
    ]
    return `    ${[shortType(type), name, keys.join(', '), isRequired ? '' : '"null"'].filter((part) => part !== '').join(' ')}`
  })
  return [`  "${nameOf(table)}" {`, ...columns, '  }'].join('\n')
}

function drawReferences(table: Table): string[] {
  return table.references.map(({ columns, table: parent, onDelete }) => {
    const isRequired = columns.every((name) =>
      table.columns.some((column) => column.name === name && column.isRequired),
    )
    const isUnique = table.unique.some((unique) => unique.every((name) => columns.includes(name)))
    const label = `${columns.join(', ')}${onDelete === '' ? '' : `; on delete ${onDelete}`}`
    return `  "${parent}" ${isRequired ? '||' : '|o'}--${isUnique ? 'o|' : 'o{'} "${nameOf(table)}" : "${label}"`
  })
}

function drawLooseReferences(table: Table): string[] {
  return table.columns.flatMap(({ name, isRequired }) => {
    const parent = looseReferences[`${nameOf(table)}.${name}`]
    if (parent === undefined) return []
    const isUnique = table.unique.some((unique) => unique.length === 1 && unique[0] === name)
    return [`  "${parent}" ${isRequired ? '||' : '|o'}..${isUnique ? 'o|' : 'o{'} "${nameOf(table)}" : "${name}"`]
  })
}

function nameOf({ schema, name }: Table): string {
  return `${schema}.${name}`
}

/** Mermaid takes no blanks in a type. */
function shortType(type: string): string {
  return type
    .replace('timestamp with time zone', 'timestamptz')
    .replace('double precision', 'float8')
    .replace(/ collate .*/, '')
    .replace(/[^\w[\].]+/g, '_')
}
