import { execFile } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { type CommandName, commands, groups } from './commands/commands.ts'
import { systemEnv } from './local/process.ts'

const root = join(import.meta.dirname, '..')
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
/** The commands that run a file of ours: its path, by the command's name. */
const files = Object.entries(scripts).flatMap(([name, script]) => {
  const path = script.match(/^(?:exec )?node (\S+)$/)?.[1]
  return path ? [{ name: name as CommandName, path }] : []
})
const text = (path: string) => readFileSync(join(root, path), 'utf8')

describe('npm commands', () => {
  test('each has its line, once, and each line its command', () => {
    const names = Object.values(groups).flatMap((group) => Object.keys(group))
    expect(names.toSorted()).toEqual(Object.keys(scripts).toSorted())
    for (const line of Object.values(commands)) expect(line).toMatch(/^[A-Z].*[^.]\.$/)
  })

  test('each file in the root of scripts is run by exactly one, and none runs another file', () => {
    const mains = globSync('scripts/*.ts', { cwd: root }).filter((path) => !path.endsWith('.test.ts'))
    expect(files.map(({ path }) => path).toSorted()).toEqual(mains.toSorted())
    const others = Object.values(scripts).filter((script) => !files.some(({ path }) => script.endsWith(path)))
    for (const script of others) expect(script).not.toMatch(/\bscripts\//)
  })

  test('each reads its arguments by its own name, and only there', () => {
    for (const { name, path } of files) {
      expect(text(path), path).toContain(`readArguments('${name}', {`)
      expect(text(path), path).not.toMatch(/process\.argv|parseArgs/)
    }
  })

  test.each(files)('$name answers --help, and does nothing', async ({ name, path }) => {
    const home = join(tmpdir(), `plinth-help-${crypto.randomUUID()}`)
    const env = { ...systemEnv(), PLINTH_HOME: home }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [path, '--help'], { cwd: root, env })
    expect(stderr).toBe('')
    expect(stdout).toMatch(new RegExp(`^${RegExp.escape(commands[name])}[\\s\\S]*\nUsage: npm run ${name}`))
    expect(stdout).toContain(`\nExample:\n  npm run ${name}`)
    const named = stdout.match(/^Environment: (.*)\. The file/m)?.[1]?.split(', ') ?? []
    for (const variable of named) expect(text('.env.example')).toContain(`\n#${variable}=`)
    expect(existsSync(home)).toBe(false)
  })

  test.each(files.filter(({ path }) => text(path).includes('    only: {')))(
    '$name refuses a part that does not exist, and names the parts',
    async ({ path }) => {
      const refusal = promisify(execFile)(process.execPath, [path, '--only', 'nothing'], { cwd: root })
      await expect(refusal).rejects.toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(/: .+, .+\.\n|must be/),
      })
    },
  )

  test('help lists them all', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['scripts/help.ts'], { cwd: root })
    for (const [name, line] of Object.entries(commands)) {
      expect(stdout).toMatch(new RegExp(`^ +npm run ${name} +${RegExp.escape(line)}$`, 'm'))
    }
  })
})
