import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { blank } from '../check/sql_text.ts'
import { formatError, formatResult } from './format.ts'
import type { Session } from './session.ts'

const help = `A statement ends with a semicolon, and may have several lines.
  \\d         lists tables and views
  \\d <name>  lists the columns of a table or view
  \\q         quits, as Ctrl-D does; Ctrl-C drops the statement, or cancels the query that runs`

const relations = `
  select n.nspname as schema, c.relname as name,
    case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind,
    pg_catalog.pg_get_userbyid(c.relowner) as owner
  from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm') and pg_catalog.pg_table_is_visible(c.oid)
    and n.nspname not in ('pg_catalog', 'information_schema')
  order by 1, 2`

const columns = `
  select a.attname as column, pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
    case when a.attnotnull then 'not null' end as nullable, pg_catalog.pg_get_expr(d.adbin, d.adrelid) as default
  from pg_catalog.pg_attribute as a
  left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
  order by a.attnum`

/** Whether a text ends with a complete statement: its last semicolon is not inside quotes, a body or a comment. */
export function isComplete(text: string): boolean {
  const code = blank(text, 'comments and quotes').replace(/"(?:[^"]|"")*"/g, '')
  return /;\s*$/.test(code) && !/['"]|\/\*|\$(?:[A-Za-z_]\w*)?\$/.test(code)
}

/** The built-in prompt, for machines without psql. Runs one command, or the statements of stdin; returns the exit code. */
export async function runPrompt(session: Session, command: string | undefined): Promise<number> {
  const { name: _name, ...config } = session
  const client = new pg.Client({ ...config, types: { getTypeParser: () => (value: string) => value } })
  client.on('notice', ({ severity, message }) => console.error(`${severity}:  ${message}`))
  client.on('error', (error) => {
    console.error(`The connection was lost: ${error.message}`)
    process.exit(2)
  })
  await client.connect()
  try {
    if (command !== undefined) return (await execute(client, command)) ? 0 : 1
    return await readStatements(session, client)
  } finally {
    await client.end()
  }
}

async function readStatements(session: Session, client: pg.Client): Promise<number> {
  const isTerminal = process.stdin.isTTY === true
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: isTerminal })
  if (isTerminal) console.log('The built-in prompt: \\? lists its commands, and \\q quits.')
  let text = ''
  let isRunning = false
  let isFine = true
  const show = () => {
    if (!isTerminal) return
    lines.setPrompt(`${session.name}${text === '' ? '=' : '-'}> `)
    lines.prompt()
  }
  lines.on('SIGINT', () => {
    if (isRunning) return cancel(session, client)
    text = ''
    console.log('')
    show()
  })
  show()
  // One line at a time: the next line waits until the statement has run.
  for await (const line of lines) {
    if (text === '' && line.trim() === '\\q') break
    isRunning = true
    if (text === '' && line.trimStart().startsWith('\\')) isFine = (await runBackslash(client, line.trim())) && isFine
    else {
      text += `${line}\n`
      if (text.trim() === '') text = ''
      if (isComplete(text)) {
        isFine = (await execute(client, text)) && isFine
        text = ''
      }
    }
    isRunning = false
    show()
  }
  lines.close()
  if (text.trim() !== '') isFine = (await execute(client, text)) && isFine
  // A failed script must fail visibly.
  return isTerminal || isFine ? 0 : 1
}

function runBackslash(client: pg.Client, line: string): Promise<boolean> {
  const [, name] = line.match(/^\\d(?:\s+(\S+))?$/) ?? []
  if (name !== undefined) return execute(client, columns, [name])
  if (line === '\\d') return execute(client, relations)
  console.log(line === '\\?' ? help : `Unknown command "${line}".\n${help}`)
  return Promise.resolve(line === '\\?')
}

/** Runs statements and prints their results or the error. Returns whether they succeeded. */
async function execute(client: pg.Client, text: string, values?: string[]): Promise<boolean> {
  try {
    const query = { text, rowMode: 'array' as const, ...(values && { values }) }
    const result = (await client.query(query)) as unknown as pg.QueryArrayResult | pg.QueryArrayResult[]
    for (const one of [result].flat()) console.log(formatResult(one))
    return true
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error
    console.error(formatError(error, text))
    return false
  }
}

/** Cancels the running query: Postgres's protocol needs a second connection for that. */
function cancel({ host, port }: Session, client: pg.Client): void {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
  const request = Buffer.alloc(16)
  for (const [index, value] of [16, 80_877_102, processID, secretKey].entries()) request.writeInt32BE(value, index * 4)
  connect(port, host)
    .on('error', () => {})
    .end(request)
}
