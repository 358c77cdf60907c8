import type { TextFile } from './files.ts'
import { count, type Outcome } from './outcome.ts'
import { blank, lineAt } from './sql_text.ts'

/** An error that code raises; without a status where only the running code knows it. */
export type Raised = { slug: string; status: number | undefined; where: string }

/** A line of the table in docs/errors.md. */
type Documented = { slug: string; status: number; line: number; cells: string[] }

const quoted = `'((?:[^']|'')*)'`

/** The number of arguments of a call, where `sql` begins with its opening parenthesis. */
function countArguments(sql: string): number {
  let depth = 0
  let commas = 0
  for (const [token] of sql.matchAll(/'(?:[^']|'')*'|[()[\],]/g)) {
    if (token === '(' || token === '[') depth += 1
    else if (token === ')' || token === ']') depth -= 1
    else if (token === ',' && depth === 1) commas += 1
    if (depth === 0) break
  }
  return commas + 1
}

/** Errors that SQL raises: by app.fail, or by a raise whose errcode is PT and a status. */
export function findRaisedInSql({ path, text }: TextFile): { raised: Raised[]; problems: string[] } {
  const sql = blank(text, 'comments')
  const raised: Raised[] = []
  const problems: string[] = []
  const where = (match: RegExpMatchArray) => `${path}:${lineAt(sql, match.index ?? 0)}`
  for (const match of sql.matchAll(/(?<!\bfunction\s+)\bapp\.fail\s*\(/gi)) {
    const call = sql.slice(match.index)
    if (countArguments(call.slice(call.indexOf('('))) < 4)
      problems.push(`${where(match)}: app.fail needs a hint, which says the next step`)
    const written = call.match(new RegExp(String.raw`^app\.fail\s*\(\s*(\d{3})\s*,\s*${quoted}`, 'i'))
    if (written) raised.push({ slug: written[2] ?? '', status: Number(written[1]), where: where(match) })
    else
      problems.push(`${where(match)}: app.fail needs its status and its slug written out, so that this check sees them`)
  }
  for (const match of sql.matchAll(/\braise\s(?:'(?:[^']|'')*'|[^;'])*/gi)) {
    const status = match[0].match(/\berrcode\s*=\s*'PT(\d{3})'/i)?.[1]
    if (status === undefined) continue
    if (!/\bhint\s*=/i.test(match[0])) problems.push(`${where(match)}: an error with a PT code needs a hint`)
    const slug = match[0].match(new RegExp(String.raw`\bdetail\s*=\s*${quoted}`, 'i'))?.[1]
    if (slug !== undefined) raised.push({ slug, status: Number(status), where: where(match) })
    else problems.push(`${where(match)}: an error with a PT code needs its slug as detail = '…'`)
  }
  return { raised, problems }
}

/** Errors that TypeScript answers with: `details: 'slug'` in an object, `404, 'slug'` in a call, `404: 'slug'` in a map. */
export function findRaisedInTypeScript({ path, text }: TextFile): Raised[] {
  const hidden = (found: string) => found.replace(/[^\n]/g, ' ')
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*/gm, hidden).replace(/`(?:[^`\\]|\\.)*`/g, hidden)
  const found: Raised[] = []
  const add = (slug: string, status: string | undefined, index: number) =>
    found.push({
      slug,
      status: status === undefined ? undefined : Number(status),
      where: `${path}:${lineAt(code, index)}`,
    })
  for (const match of code.matchAll(/\{[^{}]*\bdetails:[^{}]*\}/g)) {
    const status = match[0].match(/\bcode:\s*'PT(\d{3})'/)?.[1]
    const details = match[0].match(/\bdetails:([^,}]*)/)?.[1] ?? ''
    for (const literal of details.matchAll(/'([a-z][a-z0-9_]*)'/g)) add(literal[1] ?? '', status, match.index)
  }
  for (const match of code.matchAll(/\b([45]\d\d)\s*[,:]\s*'([a-z][a-z0-9_]*)'/g))
    add(match[2] ?? '', match[1], match.index)
  return found
}

/** Checks that docs/errors.md has exactly one line for each error, with its status. */
export function checkErrors(sql: TextFile[], typeScript: TextFile[], docs: TextFile): Outcome {
  const inSql = sql.map(findRaisedInSql)
  const raised = [...inSql.flatMap((file) => file.raised), ...typeScript.flatMap(findRaisedInTypeScript)]
  return {
    said: `${count(new Set(raised.map(({ slug }) => slug)).size, 'slug')} raised, against ${docs.path}`,
    problems: [...inSql.flatMap((file) => file.problems), ...compareErrors(raised, docs)],
    remedy: `One line per slug in the table of ${docs.path}, sorted: | \`slug\` | status | cause | next step |`,
  }
}

/** Finds differences between the errors that are raised and the table of docs/errors.md. */
export function compareErrors(raised: Raised[], docs: TextFile): string[] {
  const lines = readTable(docs.text)
  const slugs = lines.map(({ slug }) => slug)
  const at = (line: Documented) => `${docs.path}:${line.line}`
  return [
    ...raised.flatMap(({ slug, status, where }, index) => {
      const line = lines.find((one) => one.slug === slug)
      const isFirst = raised.findIndex((one) => one.slug === slug) === index
      if (!line) return isFirst ? [`${where}: ${slug} (${status ?? 'status unknown'}) has no line in ${docs.path}`] : []
      if (status === undefined || line.status === status) return []
      return [`${where}: ${slug} is raised with ${status}, and ${at(line)} says ${line.status}`]
    }),
    ...lines.flatMap((line, index) => [
      ...(raised.some(({ slug }) => slug === line.slug) ? [] : [`${at(line)}: nothing raises ${line.slug}`]),
      ...(slugs.indexOf(line.slug) < index ? [`${at(line)}: ${line.slug} has a line already`] : []),
      ...(line.slug < (slugs[index - 1] ?? '')
        ? [`${at(line)}: ${line.slug} is not in its place: the table is sorted`]
        : []),
      ...(line.cells.length === 2 && line.cells.every((cell) => /\.$/.test(cell))
        ? []
        : [`${at(line)}: needs two sentences: the cause and the next step`]),
    ]),
  ]
}

function readTable(text: string): Documented[] {
  return text.split('\n').flatMap((line, index) => {
    const match = line.match(/^\|\s*`([a-z][a-z0-9_]*)`\s*\|\s*(\d{3})\s*\|(.*)\|\s*$/)
    if (!match) return []
    const cells = (match[3] ?? '').split('|').map((cell) => cell.trim())
    return [{ slug: match[1] ?? '', status: Number(match[2]), line: index + 1, cells }]
  })
}
