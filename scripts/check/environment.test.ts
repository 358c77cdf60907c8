import { expect, test } from 'vitest'
import { compareVariables, findRead } from './environment.ts'

const read = (path: string, text: string) => findRead({ path, text }).map(({ variable }) => variable)

test('variables are found where code reads them', () => {
  expect(read('scripts/a.ts', "process.env['ONE'] process.env.TWO await choosePort('THREE') env['NOT']")).toEqual([
    'ONE',
    'TWO',
    'THREE',
  ])
  expect(read('worker/config.ts', 'const schema = z.object({\n  LOG_LEVEL: logLevel,\n})')).toEqual(['LOG_LEVEL'])
  expect(read('worker/shared/object_store.ts', 'export const some = {\n  SPACES_BUCKET: name,\n}')).toEqual([
    'SPACES_BUCKET',
  ])
  expect(read('worker/other.ts', 'x = {\n  LOG_LEVEL: 1,\n}')).toEqual([])
  // biome-ignore lint/suspicious/noTemplateCurlyInString: compose's own syntax
  expect(read('docker-compose.yml', 'a: ${FOUR:-x} $FIVE $$SIX')).toEqual(['FOUR', 'FIVE'])
})

test('.env.example has each variable once, with a comment above it or its group', () => {
  const used = [
    { variable: 'ONE', where: 'a:1' },
    { variable: 'TWO', where: 'a:2' },
    { variable: 'ONE', where: 'b:1' },
  ]
  const problems = (text: string) => compareVariables(used, { path: '.env', text })
  expect(problems('# Both.\nONE=\n#TWO=2')).toEqual([])
  expect(problems('ONE=1\n\n# Again.\nONE=\nTHREE=3')).toEqual([
    'a:2: TWO is not in .env',
    '.env:1: ONE needs a comment above it',
    '.env:4: ONE is there already',
    '.env:5: nothing reads THREE',
  ])
})
