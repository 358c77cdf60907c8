import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { endMessage } from '../local/supervise.ts'

/**
 * Prints new lines of a log as `describe` describes them; undefined is a line that a developer need not see. Returns a
 * function that ends it.
 */
export function followLog(
  path: string,
  describe: (line: string) => string | undefined,
  print: (line: string) => void,
): () => void {
  const file = openSync(path, 'r')
  let position = fstatSync(file).size
  let rest = ''
  const read = () => {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - position))
    position += readSync(file, bytes, 0, bytes.length, position)
    const lines = (rest + bytes.toString('utf8')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const shown = describe(line)
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

/**
 * Describes a line of the worker or the sidecar: warnings, errors, and lines that are not JSON, such as the stack of
 * a crash.
 */
export function describeLine(line: string): string | undefined {
  if (line.trim() === '') return undefined
  try {
    const { level, msg, err } = JSON.parse(line) as { level?: string; msg?: string; err?: { message?: string } }
    // The stack itself says when a process ends.
    if (!['warn', 'error', 'fatal'].includes(level ?? '') || msg === endMessage) return undefined
    return [`${level} ${msg}`, ...(err?.message ? [err.message] : [])].join(': ')
  } catch {
    return line
  }
}

/** Describes a line of Postgres: the error that a callback of the job engine raised, which clients and workers do not see. */
export function describeFault(line: string): string | undefined {
  return line.match(/ LOG: {2}(Callback failed .*)/)?.[1]
}
