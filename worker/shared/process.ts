import type { Logger } from 'pino'
import { z } from 'zod'

// The life cycle of worker and sidecar as processes: environment and shutdown.

/** Schemas of environment variables. Their messages never repeat a value, because it may be a password. */
export const port = z.coerce.number('must be a port number, 0 to 65535').int().min(0).max(65_535)
export const logLevel = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info')

/** Parses an environment. Throws one Error with a line for each variable that is missing or invalid. */
export function parseEnv<Schema extends z.ZodType>(schema: Schema, env: NodeJS.ProcessEnv): z.output<Schema> {
  // Compose and dotenv files pass unset variables as empty strings.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const result = schema.safeParse(given)
  if (result.success) return result.data
  const lines = result.error.issues.map(({ path, message }) => {
    const name = path.join('.')
    return `  ${name}: ${given[name] === undefined ? 'is missing' : message}`
  })
  throw new Error(`These variables are missing or invalid:\n${lines.join('\n')}\nSee .env.example.`, {
    cause: result.error,
  })
}

/** Runs a step of the start. When it fails, prints the reason on stderr and exits with this code. For main.ts. */
export async function orExit<Result>(code: number, step: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await step()
  } catch (error) {
    console.error((error as Error).message)
    return process.exit(code)
  }
}

/** The end of this process. */
export type Shutdown = {
  /** Stops as a signal does and then exits with 1. `isHurried`: as two signals do. */
  fail(options: { isHurried: boolean }): void
}

/** How long a hurried stop may take. */
const hurryMaxMs = 3900

/**
 * On SIGTERM or SIGINT, calls `stop` and exits: with 0 when it succeeds within `maxMs`, else with 1. With `canHurry`, a second
 * signal aborts the `hurry` of `stop`, which then has 4 s, and a third signal exits at once; without `canHurry`, the second
 * signal exits. For main.ts.
 */
export function exitOnSignal(
  logger: Logger,
  stop: (hurry: AbortSignal) => Promise<void>,
  { maxMs = hurryMaxMs, canHurry = false }: { maxMs?: number; canHurry?: boolean } = {},
): Shutdown {
  // Read now, because a worker replaces process.exit for its handlers later.
  const exit = process.exit.bind(process)
  const hurry = new AbortController()
  let isStopping = false
  let code = 0

  const exitIn = (ms: number) =>
    setTimeout(() => {
      logger.error('Shutdown took too long')
      exit(1)
    }, ms)

  function hurryUp(): void {
    if (hurry.signal.aborted) return
    hurry.abort()
    exitIn(hurryMaxMs)
  }

  async function begin(): Promise<void> {
    isStopping = true
    exitIn(maxMs)
    try {
      await stop(hurry.signal)
      logger.info('Shutdown finished')
      exit(code)
    } catch (err) {
      logger.error({ err }, 'Shutdown failed')
      exit(1)
    }
  }

  const handle = (signal: NodeJS.Signals) => {
    if (!isStopping) {
      logger.info({ signal }, 'Shutdown started')
      void begin()
    } else if (canHurry && !hurry.signal.aborted) {
      logger.warn({ signal }, 'Shutdown was hurried')
      hurryUp()
    } else {
      logger.warn({ signal }, 'Shutdown was interrupted')
      exit(1)
    }
  }
  process.on('SIGTERM', handle)
  process.on('SIGINT', handle)
  return {
    fail({ isHurried }) {
      code = 1
      if (isHurried) hurryUp()
      if (!isStopping) void begin()
    },
  }
}
