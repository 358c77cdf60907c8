import type { Logger } from 'pino'
import type { Db } from './db.ts'

/** Logs the settings that are unsafe for a deployment (`ops.warnings`). If the call fails, the process starts without them. */
export async function logWarnings(
  db: Pick<Db, 'call'>,
  call: 'worker.list_warnings' | 'sidecar.list_warnings',
  logger: Logger,
): Promise<void> {
  try {
    for (const { name, problem, remedy } of await db.call<Record<'name' | 'problem' | 'remedy', string>>(call))
      logger.warn({ name, problem, remedy }, 'Database has an unsafe setting')
  } catch (err) {
    logger.debug({ err }, 'Warnings could not be read')
  }
}
