import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import { serializeError } from './serialize_error.ts'

/**
 * Logs JSON lines to stdout, or to the stream of a test. A line has a bounded part of an error (serialize_error.ts).
 *
 * Stdout is synchronous, because otherwise the last lines before an exit come out of order.
 */
export function createLogger(service: string, level: string, stream?: DestinationStream): Logger {
  const options = {
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: serializeError },
  }
  return pino(options, stream ?? destination({ sync: true }))
}
