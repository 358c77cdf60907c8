import { createLineLimit } from '../../worker/shared/limit_lines.ts'
import type { LogFilter } from './process.ts'

/** A line of a log. */
type Line = {
  /** Lines of a kind are limited; others are not. */
  kind?: string
  /** The process that wrote it. */
  source?: string
  /** Whether the line belongs to the line before it, of the same process if that is known. */
  follows?: boolean
}

/** The parts of an error's message that vary between requests. */
const variable = /"[^"]*"|'[^']*'|\([^)]*\)|\d+/g

/** Reads a line of Postgres: errors are limited, each with its DETAIL, HINT, CONTEXT and STATEMENT. */
export function readPostgresLine(line: string): Line {
  const [, source, level, message = ''] = /^\S+ \S+ \S+ \[(\d+)\] ([A-Z]+): {2}(.*)/.exec(line) ?? []
  if (source === undefined || level === undefined) return { follows: true }
  if (/^(DETAIL|HINT|QUERY|CONTEXT|STATEMENT|LOCATION|BACKTRACE)$/.test(level)) return { source, follows: true }
  if (!/^(ERROR|FATAL|WARNING)$/.test(level)) return { source }
  // The message of a refusal with headers is JSON.
  const slug = /"details" ?: ?"(\w+)"/.exec(message)?.[1]
  return { source, kind: `${level} ${slug ?? message.replace(variable, '#')}` }
}

/** Reads a line of PostgREST: requests are limited by method and status. */
export function readPostgrestLine(line: string): Line {
  const [, method, status] = /^\S+ - \S+ \[[^\]]+\] "([A-Z]+) .*" (\d{3}) /.exec(line) ?? []
  return method === undefined ? {} : { kind: `${method} ${status}` }
}

/**
 * Filters a log: writes one entry a second of each kind; see {@link createLineLimit}. The last entry of a second is
 * written without the lines that follow it.
 */
export function limitLog(read: (line: string) => Line, write: (text: string) => void): LogFilter {
  const limit = createLineLimit()
  const isShown = new Map<string, boolean>()
  let isLastShown = true
  let rest = ''

  function takeLine(line: string): void {
    const { kind, source = '', follows } = read(line)
    if (follows) {
      if (source !== '') isLastShown = isShown.get(source) ?? true
      if (isLastShown) write(`${line}\n`)
      return
    }
    const writeLine = (leftOut: number) =>
      write(leftOut > 0 ? `${line} (${leftOut} more lines like this were left out)\n` : `${line}\n`)
    isLastShown = kind === undefined || limit(kind, writeLine)
    if (kind === undefined) writeLine(0)
    if (isShown.size > 1000) isShown.clear()
    isShown.set(source, isLastShown)
  }

  const take = (piece: string) => {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') takeLine(line)
  }
  return {
    take,
    end: () => {
      take('\n')
      limit.flush()
    },
  }
}
