import { type ParsedCronItem, parseCronItem } from 'graphile-worker'
import type { Logger } from 'pino'
import type { Db } from '../shared/db.ts'

type Schedule = { name: string; cron: string }

/**
 * Reads `worker.list_schedules()` (empty where pg_cron runs the schedules) now and each minute until `stop`.
 *
 * Changes `items` in place: graphile-worker documents that it may change and reads it every minute, so a new list needs no
 * restart. Several workers coordinate through `graphile_worker._private_known_crontabs`.
 */
export async function followSchedules(db: Db, logger: Logger): Promise<{ items: ParsedCronItem[]; stop(): void }> {
  const items: ParsedCronItem[] = []
  let known = ''
  const read = async () => {
    const schedules = await db.call<Schedule>('worker.list_schedules')
    const list = JSON.stringify(schedules)
    if (list === known) return
    known = list
    items.splice(0, items.length, ...schedules.flatMap((schedule) => parse(schedule, logger)))
    logger.info({ schedules: items.map((item) => item.identifier) }, 'Schedules were read')
  }
  await read()
  const timer = setInterval(() => {
    read().catch((err: unknown) => logger.warn({ err }, 'Schedules could not be read'))
  }, 60_000)
  return { items, stop: () => clearInterval(timer) }
}

/** Returns one cron item, or none when the expression is invalid, because one bad schedule must not stop the others. */
function parse({ name, cron }: Schedule, logger: Logger): ParsedCronItem[] {
  try {
    const item = parseCronItem({
      task: 'run_schedule',
      match: cron,
      identifier: name,
      payload: { name },
      // With the key, a schedule that still has a queued job adds no second one. Eight attempts last half an hour.
      options: { backfillPeriod: 0, jobKey: `run_schedule/${name}`, maxAttempts: 8 },
    })
    return [item]
  } catch (err) {
    logger.error({ schedule: name, cron, err }, 'Schedule was skipped because its cron expression is invalid')
    return []
  }
}
