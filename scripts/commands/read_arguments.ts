import { parseArgs } from 'node:util'
import { type CommandName, commands } from './commands.ts'

/** An option of a command: the type of its value, and its purpose. */
export type Option = { about: string; short?: string } & (
  | { type: 'boolean' }
  | { type: 'string'; value: string; default?: string }
  | { type: 'number'; default: number; min?: number; max?: number }
)

type Value<O extends Option> = O extends { type: 'boolean' }
  ? boolean
  : O extends { type: 'number' }
    ? number
    : O extends { default: string }
      ? string
      : string | undefined

/** The usage of a command, which `--help` prints. */
export type Definition<Options extends Record<string, Option>> = {
  options?: Options
  /** A placeholder for the arguments after the options, such as `<name>`. */
  arguments?: string
  /** Further sentences after the line of the command. */
  about?: string
  /** The variables that the command reads, all of which .env.example describes. */
  environment?: string[]
  /** The words after `npm run`. */
  example: string
}

export type Arguments<Options extends Record<string, Option>> = {
  options: { [Name in keyof Options]: Value<Options[Name]> }
  positionals: string[]
  /** Prints a sentence and exits with code 2. */
  refuse(message: string): never
}

/** Reads the arguments of a command. Prints its usage and exits for `--help`; exits with code 2 for a wrong argument. */
export function readArguments<const Options extends Record<string, Option> = Record<never, never>>(
  name: CommandName,
  definition: Definition<Options>,
  args: string[] = process.argv.slice(2),
): Arguments<Options> {
  const refuse = (message: string): never => {
    console.error(`${message}\nnpm run ${name} -- --help lists its options.`)
    process.exit(2)
  }
  // Arguments after a second -- are not for this command.
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args
  if (own.includes('--help')) {
    console.log(describe(name, definition))
    process.exit(0)
  }
  const known: Record<string, Option> = definition.options ?? {}
  try {
    const { values, positionals } = parseArgs({
      args,
      options: Object.fromEntries(
        Object.entries(known).map(([option, { type, short }]) => [
          option,
          { type: type === 'boolean' ? type : 'string', ...(short && { short }) },
        ]),
      ),
      allowPositionals: definition.arguments !== undefined,
    })
    const options = Object.fromEntries(
      Object.entries(known).map(([option, about]) => [option, read(option, about, values[option])]),
    )
    return { options: options as Arguments<Options>['options'], positionals, refuse }
  } catch (error) {
    return refuse(explain(error as NodeJS.ErrnoException, Object.keys(known), definition.example))
  }
}

class WrongValue extends Error {}

function read(name: string, option: Option, given: unknown): unknown {
  if (option.type === 'boolean') return given === true
  if (option.type === 'string' || given === undefined) return given ?? option.default
  const value = Number(given)
  const { min = 1, max = Number.POSITIVE_INFINITY } = option
  if (given === '' || !(value >= min && value <= max)) {
    const range = max === Number.POSITIVE_INFINITY ? `, ${min} or more` : ` from ${min} to ${max}`
    throw new WrongValue(`--${name} must be a number${range}.`)
  }
  return value
}

function explain(error: NodeJS.ErrnoException, known: string[], example: string): string {
  const [, quoted = ''] = error.message.match(/'(.*?)'/) ?? []
  switch (error.code) {
    case 'ERR_PARSE_ARGS_UNKNOWN_OPTION':
      return `Unknown option "${quoted}". Use one of: ${[...known, 'help'].map((name) => `--${name}`).join(', ')}.`
    case 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL':
      // Often an option's value: without the -- of the example, npm keeps the option for itself.
      return `Unexpected argument "${quoted}". Example: npm run ${example}`
    case 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE':
      return `${error.message.split('\n')[0]?.replace(/\.?$/, '.')}`
    default:
      if (error instanceof WrongValue) return error.message
      throw error
  }
}

/** Describes the usage of a command. */
function describe(name: CommandName, definition: Definition<Record<string, Option>>): string {
  const options = Object.entries(definition.options ?? {}).map(([option, { about, ...rest }]): [string, string] => [
    `${rest.short ? `-${rest.short}, ` : ''}--${option}${rest.type === 'boolean' ? '' : rest.type === 'number' ? ' <number>' : ` <${rest.value}>`}`,
    `${about}${'default' in rest && rest.default !== '' ? ` (${rest.default})` : ''}`,
  ])
  options.push(['--help', 'prints this help'])
  const width = Math.max(...options.map(([option]) => option.length))
  const rest = [options.length > 1 ? '[options]' : '', definition.arguments ?? ''].filter(Boolean)
  return [
    `${commands[name]}${definition.about ? `\n${definition.about}` : ''}`,
    `Usage: npm run ${[name, ...(rest.length > 0 ? ['--', ...rest] : [])].join(' ')}`,
    `Options:\n${options.map(([option, about]) => `  ${option.padEnd(width)}  ${about}`).join('\n')}`,
    ...(definition.environment
      ? [`Environment: ${definition.environment.join(', ')}. The file .env.example describes each variable.`]
      : []),
    `Example:\n  npm run ${definition.example}`,
  ].join('\n\n')
}
