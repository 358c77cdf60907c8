import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { startStack } from './local/stack.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

test('every script and every file that the README names is there', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const named = [...readme.matchAll(/npm (?:run ([a-z:]+)|(start|test))/g)].map(
    ([, name, short]) => name ?? short ?? '',
  )
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((name) => !(name in scripts))).toEqual([])
  const links = [...readme.matchAll(/\]\((?!http)([^)#]+)\)/g)].map(([, path]) => path ?? '')
  for (const path of links) expect(() => execFileSync('test', ['-e', join(root, path)]), path).not.toThrow()
})

test('every request of the README gives the answer that stands below it', { timeout: 60_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), 'plinth-readme-'))
  execFileSync('chmod', ['755', home])
  const stack = await startStack(home, () => {})
  try {
    const section = readme.slice(readme.indexOf('### Sharing'), readme.indexOf('An error is'))
    const blocks = [...section.matchAll(/```(sh|json)\n([\s\S]*?)```/g)].map(([, kind, text]) => ({
      kind,
      text: text ?? '',
    }))
    expect(blocks.length).toBeGreaterThan(1)
    // One shell for all: a later request uses what an earlier one made. NUL parts the answers.
    const commands = blocks
      .filter(({ kind }) => kind === 'sh')
      .map(({ text }) => text.replace('.local/env', join(home, 'env')))
    const { stdout } = await run('bash', ['-euc', commands.join("\nprintf '\\0'\n")], {
      cwd: root,
      env: { ...process.env, PLINTH_HOME: home },
      timeout: 20_000,
    })
    const answers = stdout.split('\0').map((answer) => JSON.parse(answer))
    const promised = blocks.filter(({ kind }) => kind === 'json').map(({ text }) => JSON.parse(text))
    expect(answers.map((answer) => Object.keys(answer).sort())).toEqual(
      promised.map((answer) => Object.keys(answer).sort()),
    )
    // What differs from run to run stands there with … at its end.
    const open = (text: string) => JSON.parse(text, (_key, value) => (/…$/.test(value) ? expect.any(String) : value))
    expect(answers.slice(1)).toEqual(promised.slice(1).map((answer) => open(JSON.stringify(answer))))

    const script = join(root, `.try-${process.pid}.mjs`)
    writeFileSync(script, readme.match(/```js\n([\s\S]*?)```/)?.[1] ?? '')
    const tried = await run('node', [`--env-file=${join(home, 'env')}`, script], { timeout: 20_000 }).finally(() =>
      rmSync(script),
    )
    expect(tried.stdout).toContain('https://harpy.chat/flows/detail/')
    expect(tried.stdout).toContain('agents: [ [Object] ]')
  } finally {
    await stack.stop()
    rmSync(home, { recursive: true, force: true })
  }
})
