import { structuredPatch } from 'diff'

/**
 * A unified diff of two texts with three lines of context; empty when they are the same. Each hunk names the last line
 * without an indent before its first change.
 */
export function unifiedDiff(before: string, after: string, names: { before: string; after: string }): string {
  if (before === after) return ''
  // With a line break at the end of both, the last line is like any other.
  const { hunks } = structuredPatch(names.before, names.after, `${before}\n`, `${after}\n`, '', '', { context: 3 })
  const lines = before.split('\n')
  return [
    `--- ${names.before}`,
    `+++ ${names.after}`,
    ...hunks.flatMap((hunk) => {
      const firstChange = hunk.lines.findIndex((line) => !line.startsWith(' '))
      const heading = lines.slice(0, hunk.oldStart - 1 + firstChange).findLast((line) => /^\S/.test(line)) ?? ''
      const position = `@@ -${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} @@`
      return [`${position} ${heading}`.trimEnd(), ...hunk.lines]
    }),
  ].join('\n')
}
