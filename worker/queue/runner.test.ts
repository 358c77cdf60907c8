import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { createDatabase } from '../../scripts/testing/database.ts'
import { until } from '../../scripts/testing/waiting.ts'
import { createTestWorkers } from '../../scripts/testing/workers.ts'
import { createDb } from '../shared/db.ts'
import { serializeError } from '../shared/serialize_error.ts'
import { defineTask } from './define_task.ts'
import { createQueue } from './runner.ts'

test('a task whose error cannot be stored or is very large fails alone, with one bounded line', async () => {
  const database = await createDatabase()
  const lines: { msg: string; err?: object }[] = []
  const logger = pino(
    { serializers: { err: serializeError } },
    { write: (line: string) => void lines.push({ ...JSON.parse(line), bytes: line.length }) },
  )
  const circle = new Error(`nul \u0000 ${'x'.repeat(50_000_000)}`)
  circle.cause = new Error('connect', { cause: circle })
  const poison = defineTask({
    payload: z.object({}),
    run: async () => {
      throw circle
    },
  })
  const pool = database.openPool()
  const tasks = { poison: poison({ logger }) }
  const queue = createQueue({ pool, db: createDb(pool), logger, tasks, runsSchedules: false, concurrency: 1 })
  try {
    const admin = await database.connect()
    await admin.query("select graphile_worker.add_job('poison', max_attempts => 2)")
    queue.start()
    const read = 'select attempts, last_error from graphile_worker._private_jobs'
    await vi.waitFor(async () => expect((await admin.query(read)).rows[0]?.last_error).not.toBeNull(), 20_000)
    expect((await admin.query(read)).rows[0]).toMatchObject({
      attempts: 1,
      last_error: expect.stringMatching(/^nul {2}x/),
    })
    expect(lines.filter(({ msg }) => msg === 'Task failed')).toEqual([
      expect.objectContaining({ bytes: expect.toSatisfy((bytes: number) => bytes < 40_000) }),
    ])
    expect(lines.filter(({ msg }) => msg === 'Queue is not running')).toEqual([])
  } finally {
    await queue.stop(0, AbortSignal.abort())
    await database.drop()
  }
})

/** A queue whose job of task `slow` is running; it resolves when the test says so, or rejects when its signal aborts. */
async function openSlow() {
  const database = await createDatabase()
  const started = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  const logger = pino({ level: 'silent' })
  const slow = defineTask({
    payload: z.object({}),
    run: async (_payload, { signal }) => {
      started.resolve()
      signal.addEventListener('abort', () => end.reject(signal.reason))
      await end.promise
    },
  })
  const pool = database.openPool()
  const tasks = { slow: slow({ logger }) }
  const queue = createQueue({ pool, db: createDb(pool), logger, tasks, runsSchedules: false, concurrency: 1 })
  const admin = await database.connect()
  await admin.query("select graphile_worker.add_job('slow')")
  queue.start()
  await started.promise
  const readJobs = async () =>
    (await admin.query('select attempts, locked_at is null as is_free from graphile_worker._private_jobs')).rows
  return { database, queue, end, readJobs }
}

test('a stop lets running jobs end within the drain', async () => {
  const { database, queue, end, readJobs } = await openSlow()
  try {
    const stopped = queue.stop(60_000, new AbortController().signal)
    expect(queue.trouble()).toBe('The worker is stopping.')
    setTimeout(end.resolve, 500)
    await stopped
    expect(await readJobs()).toEqual([])
  } finally {
    await database.drop()
  }
})

test.each(['the drain is over', 'the stop is hurried'])('aborts running jobs when %s', async (why) => {
  const { database, queue, readJobs } = await openSlow()
  try {
    const isHurried = why === 'the stop is hurried'
    await queue.stop(isHurried ? 60_000 : 100, isHurried ? AbortSignal.abort() : new AbortController().signal)
    expect(await readJobs()).toEqual([{ attempts: 1, is_free: true }])
  } finally {
    await database.drop()
  }
})

test('a worker whose clock is two hours ahead runs the schedules now, and stops no other worker from running them', {
  timeout: 300_000,
}, async () => {
  const database = await createDatabase()
  const workers = createTestWorkers()
  try {
    const admin = await database.connect()
    await admin.query(`
      create table app.ticks (at timestamptz);
      create function app.count_tick() returns integer language sql
        as 'insert into app.ticks values (now()); select 0';
      delete from app.schedules;
      insert into app.schedules values ('count-ticks', '* * * * *', 'app.count_tick');
    `)
    // A minute begins soon by the clock of the worker. If the worker starts too late, the test waits for the next minute.
    const shiftMs = 7_200_000 + 60_000 - (Date.now() % 60_000) - 8000
    const scripts = join(import.meta.dirname, '../../scripts/testing')
    await workers.start('ahead', database.url('worker'), {
      env: { PLINTH_TEST_CLOCK_SHIFT_MS: String(shiftMs) },
      program: ['--import', join(scripts, 'shifted_clock.ts'), join(scripts, 'worker.ts')],
    })
    await until('the schedule ran', async () => (await admin.query('select from app.ticks')).rowCount, 200)

    const isAhead = async () =>
      (await admin.query("select from graphile_worker._private_known_crontabs where last_execution > now() + '1 hour'"))
        .rowCount
    expect(await isAhead()).toBe(1)
    await admin.query('select worker.list_schedules()')
    expect(await isAhead()).toBe(0)
  } finally {
    await workers.stop()
    workers.remove()
    await database.drop()
  }
})
