/**
 * The result of a check in one line. A check with problems has failed, and the remedy says what to do. A check with
 * warnings only has not failed.
 */
export type Outcome = { said: string; problems?: string[]; warnings?: string[]; remedy?: string }

/** Prints a check's line and, where it failed, its problems; returns whether it holds. */
export function printOutcome(name: string, { said, problems = [], warnings = [], remedy }: Outcome): boolean {
  const holds = problems.length === 0
  const word = holds ? (warnings.length === 0 ? 'ok    ' : 'warns ') : 'failed'
  console.log(`${word}  ${name.padEnd(16)}  ${said}`)
  if (holds && warnings.length === 0) return true
  const lines = [...problems, ...warnings].flatMap((problem) => problem.split('\n'))
  for (const line of lines.slice(0, maxLines)) console.log(`        ${line}`.trimEnd())
  if (lines.length > maxLines) console.log(`        … and ${lines.length - maxLines} more lines`)
  if (remedy) console.log(`        → ${remedy}`)
  return holds
}

const maxLines = 200

/** `3 policies`, `1 policy`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
