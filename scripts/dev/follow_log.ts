import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * Prints new lines of a log that a developer should see: warnings, errors, and lines that are not JSON, such as those of
 * `node --watch` and the stack of a crash. Returns a function that ends it.
 */
export function followLog(path: string, print: (line: string) => void): () => void {
  const file = openSync(path, 'r')
  let position = fstatSync(file).size
  let rest = ''
  const read = () => {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - position))
    position += readSync(file, bytes, 0, bytes.length, position)
    const lines = (rest + bytes.toString('utf8')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const shown = describeLine(line)
      if (shown !== undefined) print(shown)
    }
  }
  const timer = setInterval(read, 200)
  return () => {
    clearInterval(timer)
    read()
    closeSync(file)
  }
}

/** Describes a line of a log; undefined if a developer need not see it. */
export function describeLine(line: string): string | undefined {
  if (line.trim() === '') return undefined
  try {
    const { level, msg, err } = JSON.parse(line) as { level?: string; msg?: string; err?: { message?: string } }
    if (!['warn', 'error', 'fatal'].includes(level ?? '')) return undefined
    return [`${level} ${msg}`, ...(err?.message ? [err.message] : [])].join(': ')
  } catch {
    return line
  }
}
