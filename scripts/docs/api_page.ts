import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type pg from 'pg'
import { type Column, type Relation, type Rpc, readSchema, type Schema } from '../types/read_schema.ts'
import { root } from './pages.ts'

/** Functions that only read, and are volatile because PostgREST runs no stable function for HEAD. */
const volatileReaders = new Set(['get_drama_complete', 'get_shared_resource'])

/** Functions for callers without an account. Anonymous callers may also execute other functions, which answer 401. */
const forAnyone = new Set([
  'describe_share',
  'get_shared_resource',
  'list_public_shares',
  'revoke_share',
  'share_card',
  'share_flow',
  'share_session',
])

/** The tables and functions of the API as each caller may use them. */
type Callers = { anon: Schema; user: Schema; service: Schema }

/** The functions, tables and types of a module, and the guide that explains them. */
type Module = { name: string; guide: string; functions: Rpc[]; relations: Relation[] }

const introduction = `# API reference

<!-- Written by npm run db:check -- --write, from the comments and the grants of the database. -->

Every function and every table that a client or a server may use. [Clients](guide/client.md) says how to connect, and
[errors](errors.md) what to do about each error. The API describes itself, too: \`GET /rest/v1/\` is an OpenAPI document.

Each request needs the header \`apikey\`. A user also sends \`authorization: Bearer <token>\`; a program of a user may
send \`x-api-key\` instead. The commands of this page run in a shell with these variables, and with \`TOKEN\`, the token
of a user:

\`\`\`sh
. .local/env
TOKEN=$(npm run --silent token -- --email ana@example.com)
AS_USER=(-H "apikey: $SUPABASE_ANON_KEY" -H "authorization: Bearer $TOKEN" -H 'content-type: application/json')
AS_SERVER=(-H "apikey: $SUPABASE_SECRET_KEY" -H 'content-type: application/json')
\`\`\`

- **Anyone**: with the publishable key alone. **Users**: signed in. **Servers**: with the secret key.
- A function gets its arguments as one JSON object in the body of a POST. Functions with GET also accept them in the
  query string.
- A function that writes answers a GET with 405 \`post_required\`.
- The answer is JSON. Types such as \`Drama\` are in [client_types.ts](../db/client_types.ts).
- Any function may also answer 429 \`rate_limited\` or \`too_many_at_once\`, and 401 if the key or the token is wrong.`

/** Draws the page from a database that the files made. */
export async function drawApi(client: pg.Client): Promise<{ text: string; problems: string[] }> {
  const callers: Callers = {
    anon: await readSchema(client, ['anon']),
    user: await readSchema(client, ['anon', 'authenticated']),
    service: await readSchema(client, ['service_role']),
  }
  const { modules, problems } = groupByModule(callers)
  const text = [
    introduction,
    drawContents(modules),
    ...modules.flatMap((module) => [
      `## ${module.name}\n\n[Guide](guide/${module.guide})`,
      ...module.functions.map((one) => drawFunction(one, callers)),
      ...module.relations.map((one) => drawRelation(one, callers)),
    ]),
  ].join('\n\n')
  return { text: `${text}\n`, problems }
}

function groupByModule(callers: Callers): { modules: Module[]; problems: string[] } {
  const named = <One extends { name: string }>(first: One[], second: One[]) =>
    [...first, ...second.filter(({ name }) => !first.some((one) => one.name === name))].sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )
  const functions = named(callers.user.functions, callers.service.functions)
  const relations = named(callers.user.relations, callers.service.relations).filter(({ kind }) => kind !== 'composite')
  const found = new Set<string>()
  const modules = globSync('db/modules/*/', { cwd: root })
    .map((folder) => basename(folder))
    .sort()
    .map((folder) => {
      const sql = globSync(`db/modules/${folder}/*.sql`, { cwd: root })
        .map((path) => readFileSync(join(root, path), 'utf8'))
        .join('\n')
      const has = (object: string) => sql.includes(`comment on ${object}`)
      const module = folder.replace(/^\d+_/, '')
      return {
        name: module.charAt(0).toUpperCase() + module.slice(1),
        guide: `${module}.md`,
        functions: functions.filter(({ name }) => has(`function public.${name}(`)),
        relations: relations.filter(({ name }) => has(`table public.${name} is`) || has(`view public.${name} is`)),
      }
    })
    .filter((module) => module.functions.length + module.relations.length > 0)
  for (const { functions, relations } of modules) for (const { name } of [...functions, ...relations]) found.add(name)
  const problems = [...functions, ...relations]
    .filter(({ name }) => !found.has(name))
    .map(({ name }) => `public.${name}: no file of db/modules comments it`)
  return { modules, problems }
}

function drawContents(modules: Module[]): string {
  const links = (all: { name: string }[], kind: string) =>
    all.map(({ name }) => `[${name}](#${kind}${name})`).join(', ') || '–'
  const rows = modules.map(
    ({ name, functions, relations }) =>
      `| [${name}](#${name.toLowerCase()}) | ${links(functions, '')} | ${links(relations, 'table-')} |`,
  )
  return ['| module | functions | tables |', '|---|---|---|', ...rows].join('\n')
}

function drawFunction(one: Rpc, callers: Callers): string {
  const { text, errors } = readComment(one.comment)
  const isRead = one.volatility !== 'volatile' || volatileReaders.has(one.name)
  const ofUser = callers.user.functions.find(({ name }) => name === one.name)
  const ofService = callers.service.functions.find(({ name }) => name === one.name)
  const ofClient = ofUser === undefined ? '' : forAnyone.has(one.name) ? 'anyone' : 'users'
  const who = [ofClient, ofService === undefined ? '' : 'servers'].filter((caller) => caller !== '')
  if (ofClient === 'users' && !errors.some((error) => error.includes('not_signed_in'))) {
    errors.unshift('401 `not_signed_in`.')
  }
  const { meanings, rest } = splitArguments(
    text,
    one.arguments.map(({ name }) => name),
  )
  const allowed = argumentValues(one.name)
  const args = one.arguments.map((argument) => {
    const { name, sqlType } = argument
    const isOptional = (caller: Rpc | undefined) => caller?.arguments.find((other) => other.name === name)?.isOptional
    const forClient = isOptional(ofUser)
    const forService = isOptional(ofService)
    const written =
      (forClient ?? forService) === false
        ? 'required'
        : `${code(cleanDefault(argument.default))}${forService === false ? '; servers: required' : ''}`
    const values = allowed.get(name)
    // A value that begins a sentence keeps its small letter.
    const [, word = ''] = /^`?(\w+)/.exec(meanings.get(name) ?? '') ?? []
    const meaning = values?.includes(word) ? (meanings.get(name) ?? '') : capitalize(meanings.get(name) ?? '')
    return `| ${code(name)} | ${listValues(sqlType, values)} | ${written} | ${meaning.replaceAll('|', '\\|')} |`
  })
  const table = ['| argument | type | default | meaning |', '|---|---|---|---|', ...args].join('\n')
  const [summary = '', ...others] = rest
  const parts = [
    `### ${one.name}`,
    `${isRead ? 'GET or POST' : 'POST'} ${code(`/rest/v1/rpc/${one.name}`)} · ${who.join(', ')}`,
    summary,
    args.length === 0 ? 'No arguments.' : table,
    joinLists(others),
    `Answer: ${describeAnswer(one, callers)}`,
    errors.length === 0 ? '' : ['Errors:', '', ...errors.map((error) => `- ${error}`)].join('\n'),
    fence(callOf(one, isRead, ofUser === undefined)),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

/** Takes the sentences `argument: meaning` out of paragraphs. */
function splitArguments(text: string[], names: string[]): { meanings: Map<string, string>; rest: string[] } {
  const meanings = new Map<string, string>()
  const rest: string[] = []
  for (const paragraph of text) {
    const starts = [...paragraph.matchAll(/(?<=^|\. )`(\w+)`: /g)].filter(([, name = '']) => names.includes(name))
    const first = starts[0]?.index ?? paragraph.length
    if (first > 0) rest.push(paragraph.slice(0, first).trim())
    for (const [at, start] of starts.entries()) {
      const meaning = paragraph.slice(start.index + start[0].length, starts[at + 1]?.index).trim()
      meanings.set(start[1] ?? '', meaning)
    }
  }
  return { meanings, rest }
}

/** Paragraphs, and lists whose items follow each other. */
function joinLists(paragraphs: string[]): string {
  return paragraphs.reduce((all, one) => {
    const isNext = one.startsWith('- ') && all.slice(all.lastIndexOf('\n') + 1).startsWith('- ')
    return `${all}${all === '' ? '' : isNext ? '\n' : '\n\n'}${one}`
  }, '')
}

function describeAnswer({ returns, isSet, name }: Rpc, { user, service }: Callers): string {
  const type = answerTypes().get(name)
  if ('type' in returns) {
    if (type !== undefined) return `${code(type)}.`
    return returns.type === 'undefined' ? 'none; the status is 204.' : `a ${returns.type}.`
  }
  const relation = [...user.relations, ...service.relations].find((one) => one.name === returns.relation)
  if (relation?.kind !== 'composite') return `a row of [${returns.relation}](#table-${returns.relation}).`
  const rows = relation.columns.map(
    (column) => `| ${code(column.name)} | ${typeOf(column)} | ${cell(column.comment)} |`,
  )
  return [isSet ? 'a list of objects.' : 'an object.', '', '| field | type | meaning |', '|---|---|---|', ...rows].join(
    '\n',
  )
}

/** The names of the types in AnswerTypes of db/client_types.ts. */
function answerTypes(): Map<string, string> {
  const text = readFileSync(join(root, 'db/client_types.ts'), 'utf8')
  const [, list = ''] = /export type AnswerTypes = \{\n([\s\S]*?)\n\}/.exec(text) ?? []
  return new Map([...list.matchAll(/^ {2}(\w+): (.+)$/gm)].map(([, name = '', type = '']) => [name, type]))
}

/** The values that ArgumentTypes of db/client_types.ts lists for the arguments of a function. */
function argumentValues(name: string): Map<string, string[]> {
  const text = readFileSync(join(root, 'db/client_types.ts'), 'utf8')
  const [, list = ''] = /export type ArgumentTypes = \{\n([\s\S]*?)\n\}/.exec(text) ?? []
  const [, one = ''] = new RegExp(`^ {2}${name}: \\{([\\s\\S]*?)\\}$`, 'm').exec(list) ?? []
  const found = new Map<string, string[]>()
  for (const [, argument = '', type = ''] of one.matchAll(/(\w+): ([^;\n]+)/g)) {
    const [, alias = type] = new RegExp(`^export type ${type.trim()} = (.+)$`, 'm').exec(text) ?? []
    const values = [...alias.matchAll(/'(\w+)'/g)].map(([, value = '']) => value)
    if (/^(readonly \()?'\w+'( \| '\w+')*(\)\[\])?$/.test(alias.trim())) found.set(argument, values)
  }
  return found
}

function drawRelation(relation: Relation, { anon, user, service }: Callers): string {
  const of = (schema: Schema) => schema.relations.find(({ name }) => name === relation.name)
  const [ofAnon, ofUser, ofService] = [of(anon), of(user), of(service)]
  const can = (one: Relation | undefined) =>
    one === undefined
      ? []
      : [
          one.columns.some(({ canRead }) => canRead) ? 'read' : '',
          one.columns.some(({ canInsert }) => canInsert) ? 'insert' : '',
          one.columns.some(({ canUpdate }) => canUpdate) ? 'update' : '',
          one.canDelete ? 'delete' : '',
        ].filter((verb) => verb !== '')
  const rights = [
    ['Anyone', can(ofAnon)],
    ['Users', can(ofUser)],
    ['Servers', can(ofService)],
  ] as const
  const said = rights.flatMap(([who, verbs], index) =>
    verbs.length === 0 || (index === 1 && verbs.join() === rights[0][1].join()) ? [] : [`${who}: ${verbs.join(', ')}`],
  )
  const columns = relation.columns.flatMap((column) => {
    const client = ofUser?.columns.find(({ name }) => name === column.name)
    const server = ofService?.columns.find(({ name }) => name === column.name)
    const isUsed = [client, server].some((one) => one?.canRead || one?.canInsert || one?.canUpdate)
    if (!isUsed) return []
    const ofClient = describeUses(client)
    const more = describeUses(server).filter((use) => !ofClient.includes(use))
    const uses = [ofClient.join(', '), more.length === 0 ? '' : `servers: ${more.join(', ')}`].filter(
      (use) => use !== '',
    )
    return [`| ${code(column.name)} | ${typeOf(column)} | ${uses.join('; ')} | ${cell(column.comment)} |`]
  })
  const caller = can(ofUser).includes('read') ? 'AS_USER' : 'AS_SERVER'
  const { columns: all = [] } = ofUser ?? ofService ?? {}
  const readable = all.filter(({ canRead }) => canRead).map(({ name }) => name)
  // select=* asks for every column.
  const select = readable.length === all.length ? '' : `select=${readable.slice(0, 6).join()}&`
  const { text } = readComment(relation.comment)
  return [
    `### Table ${relation.name}`,
    `${code(`/rest/v1/${relation.name}`)} · ${said.join(' · ')}`,
    joinLists(text),
    ['| column | type | use | meaning |', '|---|---|---|---|', ...columns].join('\n'),
    fence(`curl "\${${caller}[@]}" "$SUPABASE_URL/rest/v1/${relation.name}?${select}limit=10"`),
  ].join('\n\n')
}

function describeUses(column: Column | undefined): string[] {
  if (column === undefined) return []
  const isRequired = !column.isNullable && !column.hasDefault
  return [
    column.canRead ? 'read' : '',
    column.canInsert ? `insert${isRequired ? ' (required)' : ''}` : '',
    column.canUpdate ? 'update' : '',
  ].filter((use) => use !== '')
}

function typeOf({ sqlType, values, isNullable }: Column): string {
  return `${listValues(sqlType, values)}${isNullable ? ', or null' : ''}`
}

function listValues(sqlType: string, values: string[] | undefined): string {
  if (values === undefined) return short(sqlType)
  return `${sqlType.endsWith('[]') ? 'list of ' : ''}${values.map(code).join(', ')}`
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function short(type: string): string {
  return type.replace('timestamp with time zone', 'timestamptz')
}

function callOf(one: Rpc, isRead: boolean, isForServers: boolean): string {
  const who = `"\${${isForServers ? 'AS_SERVER' : 'AS_USER'}[@]}"`
  const url = `$SUPABASE_URL/rest/v1/rpc/${one.name}`
  const required = one.arguments.filter(({ isOptional }) => !isOptional)
  if (isRead && required.every(({ sqlType }) => !sqlType.startsWith('json'))) {
    const query = required.map(({ name, sqlType }) => `${name}=${exampleOf(sqlType)}`).join('&')
    return `curl ${who} "${url}${query === '' ? '' : `?${query}`}"`
  }
  const body = required.map(({ name, sqlType }) => [name, sqlType.startsWith('json') ? {} : exampleOf(sqlType)])
  return `curl ${who} "${url}" -d '${JSON.stringify(Object.fromEntries(body))}'`
}

function exampleOf(type: string): string | number {
  if (type === 'uuid') return '00000000-0000-4000-8000-000000000000'
  return ['integer', 'bigint', 'numeric'].includes(type) ? 1 : '…'
}

/** Splits a comment into the paragraphs of its text and its errors. */
export function readComment(comment: string): { text: string[]; errors: string[] } {
  const paragraphs = comment
    .trim()
    .split(/\n\s*\n/)
    .flatMap(unwrap)
    .flatMap((paragraph) => paragraph.split(/(?<=\.) (?=Returns )/))
  const text: string[] = []
  const errors: string[] = []
  for (const paragraph of paragraphs) {
    const whole = paragraph
      .replace(/ ?(?:From origin|Origin) \d+.*$/, '')
      .replace(/ (?:Only f|F)or\s+service_role( only)?\.$/, '')
    const starts = [...whole.matchAll(/(?<=^|[.;] )[45]\d\d(?: [a-z0-9]+(?:_[a-z0-9]+)+| [0-9A-Z]{5}\b|:)/g)]
    const first = starts[0]?.index ?? whole.length
    if (first > 0) text.push(format(whole.slice(0, first).trim()))
    errors.push(...starts.map(({ index }, at) => format(whole.slice(index, starts[at + 1]?.index).trim())))
  }
  return { text, errors }
}

/** The paragraphs of a text whose lines have at most 100 characters: a line that ends early ends a paragraph. */
function unwrap(text: string): string[] {
  const paragraphs: string[] = []
  let last = ''
  for (const line of text.split('\n').map((one) => one.trim())) {
    const [word = ''] = line.split(' ')
    const open = paragraphs.at(-1) ?? ''
    const isInJson = open.split(/[{[]/).length > open.split(/[}\]]/).length
    const continues = isInJson || last.length + 1 + word.length > 98 || /^[a-z]+ /.test(line)
    if (continues && paragraphs.length > 0) paragraphs[paragraphs.length - 1] += ` ${line}`
    else paragraphs.push(line)
    last = line
  }
  return paragraphs
}

/** Marks names and JSON as code, and escapes characters that Markdown interprets. */
function format(text: string): string {
  let out = ''
  for (let at = 0; at < text.length; ) {
    if (text[at] === '{' || text[at] === '[') {
      const end = endOfJson(text, at)
      out += code(text.slice(at, end))
      at = end
      continue
    }
    const next = text.slice(at + 1).search(/[{[]/)
    const end = next < 0 ? text.length : at + 1 + next
    out += text
      .slice(at, end)
      .replace(
        /([a-z_]+=[a-z]+\.<\w+>)|(?<![\w/."-])([a-z][a-z0-9]*(?:[._][a-z0-9]+)+)(?![\w/])|[<*]/g,
        (found, filter, name) => (filter || name ? code(found) : `\\${found}`),
      )
      .replace(/(^|\. |; )([a-z]+): /g, (_, before, name) => `${before}${code(name)}: `)
    at = end
  }
  return out
}

function endOfJson(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === '{' || text[at] === '[') depth += 1
    if (text[at] === '}' || text[at] === ']') depth -= 1
    if (depth === 0) return at + 1
  }
  return text.length
}

/** A comment as the text of a cell. */
function cell(comment: string): string {
  return comment
    .trim()
    .split(/\n\s*\n/)
    .flatMap(unwrap)
    .map(format)
    .join(' ')
    .replaceAll('|', '\\|')
}

function cleanDefault(sql: string): string {
  return sql.replace(/::[a-z ]+(\[\])?$/, '').replace(/^NULL$/, 'null')
}

function code(text: string): string {
  return `\`${text}\``
}

function fence(command: string): string {
  return `\`\`\`sh\n${command}\n\`\`\``
}
