import { expect, test } from 'vitest'
import { findBreaches, groupOf } from './english.ts'

const inFile = (path: string, text: string) =>
  findBreaches({ path, text }).map(({ line, sentence }) => `${line} ${sentence}`)

test('SQL: comments, headers, comment on and messages are read, code is not', () => {
  const sql = `-- app.do_it
--
-- Writes      what it likes
-- Why         a sentence that is fine. Of these, one
--             is not.
create function app.do_it() returns void language plpgsql as $$
begin
  -- It is no good.
  perform app.fail(404, 'of', 'There is none, and nobody is told.', 'Who asks is
told.');
  select 1 from what where of = 'is no';
end
$$;
comment on function app.do_it() is
$$Does it.

Nobody knows. It is no longer so.$$;
comment on table a is 'Two pieces '
  'for ever.';`
  expect(inFile('db/a.sql', sql)).toEqual([
    '3 what it likes',
    '4 Of these, one is not.',
    '8 It is no good.',
    '9 There is none, and nobody is told.',
    '9 Who asks is told.',
    '17 Nobody knows.',
    '19 Two pieces for ever.',
  ])
})

test('TypeScript: comments, messages and names of tests are read, code and short strings are not', () => {
  const code = [
    '/** Who is it?',
    ' *',
    ' * Fine. What is it? */',
    "test('what has none is said so', () => {})",
    "const a = of('what') // fine, beside it",
    'throw new Error(`There is no such thing here.`)',
    "const beside = meanwhile('is no')",
    '// A line',
    '// anew.',
  ].join('\n')
  expect(inFile('worker/a.ts', code)).toEqual([
    '1 Who is it?',
    '3 What is it?',
    '4 what has none is said so',
    '5 fine, beside it',
    '6 There is no such thing here.',
    '9 A line anew.',
  ])
})

test('Markdown: paragraphs, items, headings and cells are read, code is not', () => {
  const text = [
    '# What it is',
    '',
    'Fine: `is no`. It stays so',
    'for ever. Whoever reads it',
    '- Of one',
    '| fine | nobody |',
    '```sh',
    '# What is no comment',
    '```',
    'is not, is no-op, besides',
  ].join('\n')
  expect(inFile('README.md', text)).toEqual([
    '1 What it is',
    '4 It stays so for ever.',
    '4 Whoever reads it',
    '5 Of one',
    '6 nobody',
  ])
})

test('a comment in configuration is read', () => {
  expect(inFile('.ci/run', 'echo is no # What for\n# Fine.\n')).toEqual(['1 What for Fine.'])
})

test('each module, its tests, and each other part are counted apart', () => {
  const paths = [
    'db/modules/20_jobs/a.sql',
    'db/tests/20_jobs/a.test.sql',
    'db/tests/helpers.sql',
    'db/seed/a.sql',
    'worker/a/b.ts',
    'docs/a/b.md',
    'README.md',
    '.ci/run',
    '.github/SECURITY.md',
  ]
  expect(paths.map(groupOf)).toEqual([
    'db/modules/20_jobs',
    'db/tests/20_jobs',
    'db/tests',
    'db/seed',
    'worker',
    'docs',
    'README.md',
    'configuration',
    'configuration',
  ])
})
