import { destination, type Logger, pino, stdTimeFunctions } from 'pino'
import { z } from 'zod'

// What worker and sidecar have in common as processes: their environment, their log, their end.

/** Parts of an environment. Their messages never repeat a value, which may be a password. */
export const postgresUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'must be a URL like postgres://role:password@host:5432/name',
})
export const port = z.coerce.number('must be a port number, 0 to 65535').int().min(0).max(65_535)
export const logLevel = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info')

/** Parses an environment; throws one Error whose message has a line for each variable that is missing or wrong. */
export function parseEnv<Schema extends z.ZodType>(schema: Schema, env: NodeJS.ProcessEnv): z.output<Schema> {
  // Compose and dotenv files leave empty what is not set.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const result = schema.safeParse(given)
  if (result.success) return result.data
  const lines = result.error.issues.map(({ path, message }) => {
    const name = path.join('.')
    return `  ${name}: ${given[name] === undefined ? 'is missing' : message}`
  })
  throw new Error(`These variables are missing or wrong:\n${lines.join('\n')}\nSee .env.example.`, {
    cause: result.error,
  })
}

/** Does a step of the start; when it fails, says why in a sentence on stderr and exits with this code. For main.ts. */
export async function orExit<Result>(code: number, step: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await step()
  } catch (error) {
    console.error((error as Error).message)
    return process.exit(code)
  }
}

/** JSON lines on stdout. Of an error only type, message, code and stack: pg puts whole rows into `detail`. */
export function createLogger(service: string, level: string): Logger {
  const options = {
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: serializeError },
  }
  // Synchronous, or the last lines before an exit come out of order.
  return pino(options, destination({ sync: true }))
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { name: type, message, stack, cause } = error
  const code = 'code' in error ? error.code : undefined
  return { type, message, code, stack, cause: cause === undefined ? undefined : serializeError(cause) }
}

/**
 * At SIGTERM or SIGINT calls `stop` and exits: 0 when it succeeds within 4 s, else 1. A second signal exits at once.
 * For main.ts.
 */
export function exitOnSignal(logger: Logger, stop: () => Promise<void>): void {
  let stopping = false
  const handle = async (signal: NodeJS.Signals) => {
    if (stopping) {
      logger.warn({ signal }, 'Shutdown was cut short')
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
