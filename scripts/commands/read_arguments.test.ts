import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'

/** Reads arguments in a process of its own, because that may exit. */
function read(definition: object, ...args: string[]) {
  const code = `
    import { readArguments } from ${JSON.stringify(new URL('./read_arguments.ts', import.meta.url).href)}
    const { options, positionals } = readArguments('token', ${JSON.stringify(definition)}, process.argv.slice(1))
    console.log(JSON.stringify({ options, positionals }))`
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', code, '--', ...args], { encoding: 'utf8' })
  return { status: run.status, stdout: run.stdout, stderr: run.stderr }
}

const definition = {
  options: {
    email: { type: 'string', value: 'address', about: 'the user' },
    rounds: { type: 'number', default: 3, max: 9, about: 'rounds' },
    json: { type: 'boolean', about: 'prints JSON' },
  },
  environment: ['PLINTH_HOME'],
  example: 'token -- --email a@b.c',
}

describe('arguments', () => {
  test('are read, with their defaults, as what they are', () => {
    expect(JSON.parse(read(definition).stdout)).toEqual({ options: { rounds: 3, json: false }, positionals: [] })
    const all = read(definition, '--email=a@b.c', '--rounds', '2', '--json')
    expect(JSON.parse(all.stdout).options).toEqual({ email: 'a@b.c', rounds: 2, json: true })
  })

  test.each([
    ['--emial', 'Unknown option "--emial". Use one of: --email, --rounds, --json, --help.'],
    ['-x', 'Unknown option "-x". Use one of: --email, --rounds, --json, --help.'],
    ['extra', 'Unexpected argument "extra". Example: npm run token -- --email a@b.c'],
    ['--email', "Option '--email <value>' argument missing."],
    ['--json=1', "Option '--json' does not take an argument."],
    ['--rounds=x', '--rounds must be a number from 1 to 9.'],
    ['--rounds=10', '--rounds must be a number from 1 to 9.'],
    ['--rounds=', '--rounds must be a number from 1 to 9.'],
  ])('%s is refused with exit code 2 and a sentence', (argument, sentence) => {
    expect(read(definition, argument)).toEqual({
      status: 2,
      stdout: '',
      stderr: `${sentence}\nnpm run token -- --help lists its options.\n`,
    })
  })

  test('that follow the options are allowed where the command has some, and may follow another --', () => {
    const found = read({ ...definition, arguments: '<name>' }, '--json', 'name', '--', '--help')
    expect(JSON.parse(found.stdout)).toMatchObject({ options: { json: true }, positionals: ['name', '--help'] })
  })
})

test('--help prints usage, options, environment and an example, even with a wrong option', () => {
  const { status, stdout, stderr } = read(definition, '--wrong', '--help')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toBe(`Prints an access token for a local user, and creates the user if needed.

Usage: npm run token -- [options]

Options:
  --email <address>  the user
  --rounds <number>  rounds (3)
  --json             prints JSON
  --help             prints this help

Environment: PLINTH_HOME. The file .env.example describes each variable.

Example:
  npm run token -- --email a@b.c
`)
})
