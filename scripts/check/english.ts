import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readFiles, type TextFile } from './files.ts'
import { count, type Outcome } from './outcome.ts'
import { lineAt } from './sql_text.ts'

// A ratchet for the rules of docs/style.md, section 0, that a pattern can see. Each folder has a recorded number of breaches,
// which may only fall.

export const countsPath = 'docs/english_counts.txt'

const header = `# How often each folder breaks a rule of docs/style.md, section 0 (sentences that open with What, Who, Whoever, Of or Nobody;
# "is no", "is none", "for ever", "anew", "beside", "meanwhile", "by then", "so that nobody"). The numbers may only fall:
# npm run db:check fails where there are more, npm run db:check -- --write records where there are fewer.
`

const sources = [
  '{db,worker,sidecar,scripts}/**/*.{ts,sql,md}',
  'docs/**/*.md',
  '.github/**/*.{md,yml}',
  '{README,CHANGELOG}.md',
  '{.env.example,docker-compose.yml,.squawk.toml,.ci/run}',
]

/** The page that quotes the rules, this check and its test, texts that are not ours to word, and texts that comments have. */
const exempt =
  /^(docs\/style\.md|scripts\/check\/english(\.test)?\.ts|db\/types\.ts|docs\/api\.md|worker\/templates\/bundles\/.*)$/

/** A breach: the sentence, and where it begins. */
export type Breach = { path: string; line: number; sentence: string }

/** A comment, a message or a paragraph, with its line breaks, and the line where it begins. */
type Passage = { line: number; text: string }

/** The folder that a file's breaches are counted for: each module and its tests apart. */
export function groupOf(path: string): string {
  const module = path.match(/^db\/(modules|tests)\/[^/]+(?=\/)/)?.[0]
  if (module) return module
  const [first = '', second = ''] = path.split('/')
  if (first === 'db') return second.includes('.') ? 'db' : `db/${second}`
  if (['worker', 'sidecar', 'scripts', 'docs'].includes(first)) return first
  return path.endsWith('.md') && !path.startsWith('.') ? path : 'configuration'
}

/** Sentences of a file that break a rule; a sentence that breaks two counts twice. */
export function findBreaches({ path, text }: TextFile): Breach[] {
  return readPassages({ path, text }).flatMap((passage) => {
    const sentenceAt = (index: number) => {
      const start = passage.text.slice(0, index).search(/[^.!?]*$/)
      const end = passage.text.slice(index).search(/[.!?](\s|$)/)
      const sentence = passage.text.slice(start, end < 0 ? undefined : index + end + 1)
      return {
        path,
        line: passage.line + lineAt(passage.text, index) - 1,
        sentence: sentence.trim().replace(/\s+/g, ' '),
      }
    }
    return [
      ...[...passage.text.matchAll(/^[\s"'(]*(what|who|whoever|of|nobody)\b/gi)],
      ...[...passage.text.matchAll(/(?<=[.!?]["')]?\s+)(What|Who|Whoever|Of|Nobody)\b/g)],
      ...[
        ...passage.text.matchAll(
          /\b(is\s+no(?!\s+longer)(?=\s)|is\s+none|for\s+ever|anew|beside|meanwhile|by\s+then|so\s+that\s+nobody)\b/gi,
        ),
      ],
    ]
      .map((match) => match.index + match[0].search(/\w/))
      .sort((a, b) => a - b)
      .map(sentenceAt)
  })
}

function readPassages({ path, text }: TextFile): Passage[] {
  if (path.endsWith('.md')) return readMarkdown(text)
  if (path.endsWith('.sql')) return readCode(text, 0, text, sqlToken, /^[ \t]*-- ?/gm)
  if (path.endsWith('.ts')) return readCode(text, 0, text, typeScriptToken, /^[ \t]*(\/\/ ?|\/\*\*? ?|\*\/|\* ?)/gm)
  return readCode(text, 0, text, hashToken, /^[ \t]*# ?/gm)
}

const sqlToken =
  /(?<comment>--[^\n]*(?:\n[ \t]*--[^\n]*)*)|(?<body>\$(\w*)\$[\s\S]*?\$\3\$)|(?<text>[eE]?'(?:[^']|'')*'(?:\s*\n\s*'(?:[^']|'')*')*)/g
const typeScriptToken =
  /(?<comment>\/\/[^\n]*(?:\n[ \t]*\/\/[^\n]*)*|\/\*[\s\S]*?\*\/)|(?<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`)/g
const hashToken = /(?<comment>(?<=^|\s)#[^\n]*(?:\n[ \t]*#[^\n]*)*)/g

/** Comments and texts in code: names and other texts of fewer than three words are none of people's reading. */
function readCode(code: string, offset: number, whole: string, token: RegExp, margin: RegExp): Passage[] {
  return [...code.matchAll(token)].flatMap((match): Passage[] => {
    const { comment, body, text } = match.groups ?? {}
    const at = offset + match.index
    const line = lineAt(whole, at)
    if (comment !== undefined) {
      // A blank line, or a word of a header such as "Locks", begins another passage.
      return split(comment.replace(margin, ''), line, /\n\s*\n|\n(?=[A-Z][a-z]+( by)? {2,})/).map((passage) => ({
        ...passage,
        text: passage.text.replace(/^\s*[A-Z][a-z]+( by)? {2,}/, ''),
      }))
    }
    if (body !== undefined) {
      const inner = body.replace(/^\$\w*\$|\$\w*\$$/g, '')
      // The text of a comment; all others are code.
      if (/\bis\s*$/i.test(code.slice(0, match.index))) return split(inner, line, /\n\s*\n/)
      return readCode(inner, at + body.indexOf(inner), whole, token, margin)
    }
    const said = (text ?? '').replace(/^[eE]?['"`]|['"`]$/g, '').replace(/'(\s*\n\s*)'/g, '$1')
    return said.trim().split(/\s+/).length < 3 ? [] : split(said, line, /\n\s*\n/)
  })
}

/** Paragraphs, list items, headings and cells; code is blanked out. */
function readMarkdown(text: string): Passage[] {
  const hidden = (found: string) => found.replace(/[^\n]/g, ' ')
  const prose = text
    .replace(/^( *)(```|~~~)[\s\S]*?^\1\2[^\n]*$/gm, hidden)
    .replace(/<!--[\s\S]*?-->/g, hidden)
    .replace(/`[^`\n]+`/g, (found) => 'x'.repeat(found.length))
  return split(prose, 1, /\n\s*\n|\n(?= *([-*] |\d+\. |#|\|))|(?<=^|\n)[ \t]*([-*] |\d+\. |#+ |>)|\|/)
}

function split(text: string, line: number, separator: RegExp): Passage[] {
  const passages: Passage[] = []
  let at = 0
  for (const match of text.matchAll(new RegExp(separator, 'g'))) {
    passages.push({ line: line + lineAt(text, at) - 1, text: text.slice(at, match.index) })
    at = match.index + match[0].length
  }
  passages.push({ line: line + lineAt(text, at) - 1, text: text.slice(at) })
  return passages.filter((passage) => passage.text.trim() !== '')
}

/** No folder breaks the rules more often than is recorded; `shouldWrite` records where it does less often. */
export async function checkEnglish(root: string, shouldWrite: boolean): Promise<Outcome> {
  const files = (await readFiles(root, sources)).filter(({ path }) => !exempt.test(path))
  const breaches = files.flatMap(findBreaches)
  const text = await readFile(join(root, countsPath), 'utf8').catch(() => '')
  const recorded = new Map<string, number>()
  // A merge may keep the lines of both sides: the lower number holds.
  for (const [, number, group = ''] of text.matchAll(/^(\d+) (.+)$/gm))
    recorded.set(group, Math.min(recorded.get(group) ?? Number.POSITIVE_INFINITY, Number(number)))
  const found = new Map([...new Set(files.map(({ path }) => groupOf(path)))].sort().map((group) => [group, 0]))
  for (const { path } of breaches) found.set(groupOf(path), (found.get(groupOf(path)) ?? 0) + 1)

  const allowed = (group: string, number: number) => (text === '' ? number : Math.min(recorded.get(group) ?? 0, number))
  const lowered = [...found].filter(([group, number]) => number < (recorded.get(group) ?? 0))
  const worse = [...found].filter(([group, number]) => text !== '' && number > (recorded.get(group) ?? 0))
  if (shouldWrite) {
    const lines = [...found].map(([group, number]) => `${allowed(group, number)} ${group}\n`)
    await writeFile(join(root, countsPath), header + lines.join(''))
  }
  const isNew = worse.length > 0 ? await findRecorded(root) : new Set<string>()
  const note =
    shouldWrite || lowered.length === 0
      ? ''
      : `; fewer than recorded in ${lowered.map(([group]) => group).join(', ')}: --write`
  return {
    said: `${count(breaches.length, 'breach', 'breaches')} of docs/style.md, section 0, against ${countsPath}${note}`,
    problems: worse.flatMap(([group, number]) => {
      const all = breaches.filter(({ path }) => groupOf(path) === group)
      const fresh = all.filter(({ sentence }) => !isNew.has(sentence))
      return [
        `${group}: ${number} instead of ${recorded.get(group) ?? 0} at most`,
        ...(fresh.length > 0 ? fresh : all).map(({ path, line, sentence }) => `  ${path}:${line}: ${sentence}`),
      ]
    }),
    remedy:
      'Word these sentences as docs/style.md, section 0, has it: subject first, then the verb. The record may only fall.',
  }
}

/** The breaches of the commit that last wrote the record, by their sentences; none where git does not have it. */
async function findRecorded(root: string): Promise<Set<string>> {
  const git = async (...args: string[]) =>
    (await promisify(execFile)('git', args, { cwd: root, maxBuffer: 2 ** 26 })).stdout
  try {
    const commit = (await git('log', '-1', '--format=%H', '--', countsPath)).trim()
    const paths = (await git('ls-tree', '-r', '--name-only', commit)).split('\n')
    const read = paths.filter(
      (path) => /(\.(ts|sql|md|yml|toml)|\.env\.example|\.ci\/run)$/.test(path) && !exempt.test(path),
    )
    const sentences = new Set<string>()
    for (const path of read) {
      const text = await git('show', `${commit}:${path}`)
      for (const { sentence } of findBreaches({ path, text })) sentences.add(sentence)
    }
    return sentences
  } catch {
    // A shallow clone, or no repository: every breach of the folder is listed.
    return new Set()
  }
}
