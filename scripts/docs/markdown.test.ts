import { expect, test } from 'vitest'
import { readBlocks, readHeadings, readLinks, readProse, readSections, readShownFiles } from './markdown.ts'

const page = `# Title

See [there](a.md#b-c) and \`[not](a.md)\`.

## One \`two\`, three!

\`\`\`sh
# no heading [no link](x)
\`\`\`

\`\`\`json
{}
\`\`\`

Text between.

<!-- not run: needs a server -->
\`\`\`js
1
\`\`\`

## One \`two\`, three!
`

test('groups blocks that stand directly below each other', () => {
  expect(readBlocks(page).map((group) => group.map(({ language, notRun }) => [language, notRun]))).toEqual([
    [
      ['sh', undefined],
      ['json', undefined],
    ],
    [['js', 'needs a server']],
  ])
})

test('names a block without an end by its line', () => {
  expect(() => readBlocks('text\n```sh\nls\n')).toThrow('line 2')
})

test('makes anchors of headings as GitHub does', () => {
  expect(readHeadings(page).map(({ anchor }) => anchor)).toEqual(['title', 'one-two-three', 'one-two-three-1'])
})

test('finds links in prose only', () => {
  expect(readLinks(page)).toEqual([{ path: 'a.md', anchor: 'b-c', line: 3 }])
})

test('gives each heading the text below it, code included', () => {
  expect(readSections(page).map(({ text }) => text.includes('# no heading'))).toEqual([false, true, false])
})

test('keeps the blocks of some languages as prose', () => {
  expect(readProse(page, ['js']).filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
    'See [there](a.md#b-c) and `[not](a.md)`.',
    'Text between.',
    '<!-- not run: needs a server -->',
    '1',
  ])
})

test('reads the files that a page shows, also files with code blocks', () => {
  const text = '`a/b.md`, a page:\n\n````md\n```sh\nls\n```\n````\n\nNot `c/d.ts`.\n\n```ts\n1\n```\n'
  expect(readShownFiles(text)).toEqual([{ path: 'a/b.md', text: '```sh\nls\n```\n' }])
})
