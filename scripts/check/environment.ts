import type { TextFile } from './files.ts'
import { count, type Outcome } from './outcome.ts'
import { lineAt } from './sql_text.ts'

type Read = { variable: string; where: string }

/** Variables of the system and of Node, which are not Plinth's. */
const given = ['PATH', 'NODE_ENV', 'NODE_COMPILE_CACHE', 'CI']

/**
 * The environment variables that a file reads: `process.env['X']`, choosePort('X') of the local stack, the upper-case
 * keys of the schema in a config.ts, an adapter or the object store, and `${X}` in docker-compose.yml.
 */
export function findRead({ path, text }: TextFile): Read[] {
  const patterns = path.endsWith('.ts')
    ? [/\bprocess\.env(?:\['|\.)([A-Z][A-Z0-9_]+)/g, /\bchoosePort\('([A-Z][A-Z0-9_]+)'[,)]/g]
    : [/(?<!\$)\$\{?([A-Z][A-Z0-9_]+)/g]
  if (/(^|\/)(config|adapters\/\w+|shared\/object_store)\.ts$/.test(path)) patterns.push(/^ {2}([A-Z][A-Z0-9_]+):/gm)
  return patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({
      variable: match[1] ?? '',
      where: `${path}:${lineAt(text, match.index)}`,
    })),
  )
}

/** Programs whose whole environment comes from the program that starts them. */
const children = /^scripts\/bench\/\w+\/\w+_backend\.ts$/

/** Checks that .env.example lists exactly the variables that code reads, each with a comment above it or its group. */
export function checkEnvironment(files: TextFile[], example: TextFile): Outcome {
  const read = files
    .filter(({ path }) => !children.test(path))
    .flatMap(findRead)
    .filter(({ variable }) => !given.includes(variable))
  return {
    said: `${count(new Set(read.map(({ variable }) => variable)).size, 'variable')} read, against ${example.path}`,
    problems: compareVariables(read, example),
    remedy: `In ${example.path}: # what it is, then NAME=value, or #NAME=default if the variable is optional.`,
  }
}

/** Finds differences between the variables that are read and .env.example. */
export function compareVariables(read: Read[], example: TextFile): string[] {
  const lines = example.text.split('\n')
  const isVariable = (line = '') => /^#?[A-Z][A-Z0-9_]+=/.test(line)
  const listed = lines.flatMap((line, index) => {
    if (!isVariable(line)) return []
    return [
      { variable: line.replace(/^#|=.*$/g, ''), previous: lines[index - 1], where: `${example.path}:${index + 1}` },
    ]
  })
  const names = listed.map(({ variable }) => variable)
  const missing = read.filter(
    ({ variable }, index) => !names.includes(variable) && read.findIndex((one) => one.variable === variable) === index,
  )
  return [
    ...missing.map(({ variable, where }) => `${where}: ${variable} is not in ${example.path}`),
    ...listed.flatMap(({ variable, previous, where }, index) => [
      ...(read.some((one) => one.variable === variable) ? [] : [`${where}: nothing reads ${variable}`]),
      ...(names.indexOf(variable) < index ? [`${where}: ${variable} is there already`] : []),
      ...(previous?.startsWith('#') || isVariable(previous) ? [] : [`${where}: ${variable} needs a comment above it`]),
    ]),
  ]
}
