import { destination, type Logger, pino, stdTimeFunctions } from 'pino'
import { z } from 'zod'

// The life cycle of worker and sidecar as processes: environment, log, shutdown.

/** Schemas of environment variables. Their messages never repeat a value, because it may be a password. */
export const postgresUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'must be a URL like postgres://role:password@host:5432/name',
})
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

/** Logs JSON lines to stdout. Logs only type, message, code and stack of an error, because pg puts whole rows into `detail`. */
export function createLogger(service: string, level: string): Logger {
  const options = {
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: serializeError },
  }
  // Synchronous, because otherwise the last lines before an exit come out of order.
  return pino(options, destination({ sync: true }))
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { name: type, message, stack, cause } = error
  const code = 'code' in error ? error.code : undefined
  return { type, message, code, stack, cause: cause === undefined ? undefined : serializeError(cause) }
}

/**
 * On SIGTERM or SIGINT, calls `stop` and exits: with 0 when it succeeds within 4 s, else with 1. A second signal exits
 * immediately. For main.ts.
 */
export function exitOnSignal(logger: Logger, stop: () => Promise<void>): void {
  let stopping = false
  const handle = async (signal: NodeJS.Signals) => {
    if (stopping) {
      logger.warn({ signal }, 'Shutdown was interrupted')
      process.exit(1)
    }
    stopping = true
    logger.info({ signal }, 'Shutdown started')
    setTimeout(() => {
      logger.error('Shutdown took too long')
      process.exit(1)
    }, 3900)
    try {
      await stop()
      logger.info('Shutdown finished')
      process.exit(0)
    } catch (err) {
      logger.error({ err }, 'Shutdown failed')
      process.exit(1)
    }
  }
  process.on('SIGTERM', handle)
  process.on('SIGINT', handle)
}
