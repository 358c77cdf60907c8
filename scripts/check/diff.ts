type Edit = { sign: ' ' | '-' | '+'; line: string }

/**
 * A unified diff of two texts with three lines of context; empty when they are the same. Each hunk names the last line
 * without an indent before its first change.
 */
export function unifiedDiff(before: string, after: string, names: { before: string; after: string }): string {
  if (before === after) return ''
  const edits = compare(before.split('\n'), after.split('\n'))
  const near = edits.map((_, at) => edits.slice(Math.max(0, at - 3), at + 4).some((edit) => edit.sign !== ' '))
  const lines = [`--- ${names.before}`, `+++ ${names.after}`]
  const at = { before: 0, after: 0 }
  for (const [index, { sign, line }] of edits.entries()) {
    if (sign !== '+') at.before += 1
    if (sign !== '-') at.after += 1
    if (near[index] && !near[index - 1]) {
      const change = edits.findIndex((edit, place) => place >= index && edit.sign !== ' ')
      const heading = edits.slice(0, change).findLast((edit) => /^\S/.test(edit.line))?.line ?? ''
      lines.push(`@@ -${at.before} +${at.after} @@ ${heading}`.trimEnd())
    }
    if (near[index]) lines.push(sign + line)
  }
  return lines.join('\n')
}

/** The longest common subsequence of what lies between the common start and the common end. */
function compare(before: string[], after: string[]): Edit[] {
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && before[start] === after[start]) start += 1
  let end = 0
  while (end < shorter - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1
  const same = (lines: string[]): Edit[] => lines.map((line) => ({ sign: ' ', line }))
  return [
    ...same(before.slice(0, start)),
    ...compareMiddle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...same(before.slice(before.length - end)),
  ]
}

function compareMiddle(before: string[], after: string[]): Edit[] {
  const width = after.length + 1
  const common = new Uint32Array((before.length + 1) * width)
  const at = (i: number, j: number) => common[i * width + j] ?? 0
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const edits: Edit[] = []
  let i = 0
  let j = 0
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      edits.push({ sign: ' ', line: before[i] ?? '' })
      i += 1
      j += 1
    } else if (i < before.length && (j === after.length || at(i + 1, j) >= at(i, j + 1))) {
      edits.push({ sign: '-', line: before[i] ?? '' })
      i += 1
    } else {
      edits.push({ sign: '+', line: after[j] ?? '' })
      j += 1
    }
  }
  return edits
}
