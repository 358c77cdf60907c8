import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readShownFiles } from './markdown.ts'
import { root } from './pages.ts'

// Follows .github/CONTRIBUTING.md in a copy of the repository: its example must pass the checks that it names.

const page = readFileSync(join(root, '.github/CONTRIBUTING.md'), 'utf8')
const copy = mkdtempSync(join(tmpdir(), 'plinth-contributing-'))

/** Lines that the page adds to a file: the file, how they begin, and the line that they come before. */
const additions = [
  { path: 'db/tests/00_base/access.test.sql', start: "  ('public.word_counts'", before: "  ('public.users'" },
  { path: 'docs/errors.md', start: '| `text_empty`', before: '| `token_audience_wrong`' },
  { path: 'docs/architecture.md', start: '| `db/modules/95_texts/`', before: '| `db/seed/`' },
]

beforeAll(() => {
  const left = new Set(['.git', '.local', 'node_modules'])
  cpSync(root, copy, { recursive: true, filter: (path) => !left.has(relative(root, path).split(sep)[0] ?? '') })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  // Under root, Postgres runs as another user, who must be able to enter the copy.
  chmodSync(copy, 0o755)
  for (const { path, text } of readShownFiles(page)) {
    if (additions.some((addition) => addition.path === path)) continue
    const target = join(copy, path.replace('…', '99991231235959'))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, text)
  }
  for (const { path, start, before } of additions) {
    const line = page.split('\n').find((one) => one.startsWith(start)) ?? ''
    const text = readFileSync(join(copy, path), 'utf8')
    expect(line).not.toBe('')
    expect(text).toContain(`\n${before}`)
    writeFileSync(join(copy, path), text.replace(`\n${before}`, `\n${line}\n${before}`))
  }
})

afterAll(() => rmSync(copy, { recursive: true, force: true }))

test('the example has a file of each kind', () => {
  expect(readShownFiles(page).length).toBeGreaterThan(10)
})

test('the example passes db:check', () => {
  expect(run('npm', 'run', '--silent', 'db:check', '--', '--write')).toContain('All checks passed')
})

test('the example compiles', () => {
  run('npm', 'run', '--silent', 'lint')
  run('npm', 'run', '--silent', 'types')
})

// One run of vitest, because each run makes a Postgres with the templates of the tests.
test('its tests pass with the rules and the access matrix, its documents are complete, and its guide runs on a stack', () => {
  const files = {
    'db/tests/pgtap.test.ts': ['95_texts', '00_base/access', '00_base/rules'],
    'worker/handlers/texts': ['counts words'],
    'scripts/docs/guides.test.ts': ['the guides are complete'],
    'scripts/docs/names.test.ts': ['every path that a page names', 'the code map'],
    'scripts/readme': ['docs/guide/texts.md'],
  }
  const report = join(copy, 'report.json')
  const names = Object.values(files).flat().join('|')
  run(
    'npx',
    'vitest',
    'run',
    ...Object.keys(files),
    '-t',
    names,
    '--reporter=default',
    '--reporter=json',
    `--outputFile=${report}`,
  )
  type Report = { testResults: { name: string; assertionResults: { status: string; fullName: string }[] }[] }
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report
  for (const [path, tests] of Object.entries(files)) {
    const passed = testResults
      .filter(({ name }) => name.includes(path))
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status === 'passed')
    for (const test of tests) expect(passed.map(({ fullName }) => fullName).join('\n')).toContain(test)
  }
})

/** Runs a command in the copy; its output, also in the error where it fails. */
function run(command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { cwd: copy, encoding: 'utf8', stdio: 'pipe' })
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}\n${stderr}`, { cause })
  }
}
