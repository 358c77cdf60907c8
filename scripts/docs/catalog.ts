/** A table as db/catalog.txt lists it. */
export type Table = {
  schema: string
  name: string
  columns: { name: string; type: string; isRequired: boolean }[]
  /** The columns of the primary key. */
  key: string[]
  /** Sets of columns whose values are unique, the primary key's included. */
  unique: string[][]
  references: { columns: string[]; table: string; onDelete: string }[]
  grants: Grant[]
}

/** A privilege of a role on a table; without columns: on all of them. */
export type Grant = { role: string; privilege: string; columns: string[] | undefined }

/** A function as db/catalog.txt lists it, and the roles that may execute it. */
export type CatalogFunction = { schema: string; name: string; roles: string[] }

/** The tables of db/catalog.txt. */
export function readTables(catalog: string): Table[] {
  return readEntries(catalog, 'table').map(({ name: qualified, lines }) => {
    const [schema = '', name = ''] = qualified.split('.')
    const constraints = lines.flatMap((line) => line.match(/^constraint (\S+) (.+)$/)?.[2] ?? [])
    const keyOf = (constraint: string) => splitNames(constraint.match(/^[A-Z ]+\(([^)]*)\)/)?.[1] ?? '')
    return {
      schema,
      name,
      columns: lines.flatMap(readColumn),
      key: constraints.filter((one) => one.startsWith('PRIMARY KEY')).flatMap(keyOf),
      unique: constraints.filter((one) => /^(PRIMARY KEY|UNIQUE)/.test(one)).map(keyOf),
      references: constraints.flatMap(readReference),
      grants: lines.flatMap(readGrant),
    }
  })
}

/** The functions of db/catalog.txt. */
export function readFunctions(catalog: string): CatalogFunction[] {
  return readEntries(catalog, 'function').map(({ name: qualified, lines }) => {
    const [schema = '', name = ''] = qualified.replace(/\(.*$/, '').split('.')
    const roles = lines.flatMap((line) => line.match(/^execute: (.+)$/)?.[1]?.split(', ') ?? [])
    return { schema, name, roles }
  })
}

function readEntries(catalog: string, kind: string): { name: string; lines: string[] }[] {
  return catalog.split('\n\n').flatMap((entry) => {
    const [head = '', ...lines] = entry.trim().split('\n')
    return head.startsWith(`${kind} `)
      ? [{ name: head.slice(kind.length + 1), lines: lines.map((line) => line.trim()) }]
      : []
  })
}

const notColumns = /^(row level security:|with |owner |constraint |(unique )?index |policy |trigger |to |comment )/

function readColumn(line: string): Table['columns'] {
  if (notColumns.test(line)) return []
  const match = line.match(/^("[^"]+"|\S+) (.+?)( not null)?( default .*| generated .*)?$/)
  if (!match) return []
  return [{ name: unquote(match[1] ?? ''), type: match[2] ?? '', isRequired: match[3] !== undefined }]
}

function readReference(constraint: string): Table['references'] {
  const match = constraint.match(
    /^FOREIGN KEY \(([^)]*)\) REFERENCES (\S+?)\([^)]*\)(?:.* ON DELETE ([A-Z ]+?))?(?: DEFERRABLE.*)?$/,
  )
  if (!match) return []
  return [
    { columns: splitNames(match[1] ?? ''), table: match[2] ?? '', onDelete: (match[3] ?? '').trim().toLowerCase() },
  ]
}

function readGrant(line: string): Grant[] {
  const match = line.match(/^to (\w+): (.+)$/)
  if (!match) return []
  const role = match[1] ?? ''
  return [...(match[2] ?? '').matchAll(/([a-z]+)(?: \(([^)]*)\))?/g)].map(([, privilege = '', columns]) => ({
    role,
    privilege,
    columns: columns === undefined ? undefined : splitNames(columns),
  }))
}

function splitNames(list: string): string[] {
  return list
    .split(',')
    .map((name) => unquote(name.trim()))
    .filter((name) => name !== '')
}

function unquote(name: string): string {
  return name.replace(/^"(.*)"$/, '$1')
}
