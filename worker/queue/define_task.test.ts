import type { JobHelpers } from 'graphile-worker'
import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { ZodError, z } from 'zod'
import { createDb } from '../shared/db.ts'
import type { Store } from '../shared/object_store.ts'
import { defineTask } from './define_task.ts'

const steps = { pump: vi.fn(), start: vi.fn(), stop: vi.fn() }
const services = {
  db: createDb({ query: vi.fn() }),
  store: {} as Store,
  templateStore: undefined,
  logger: pino({ level: 'silent' }),
  steps,
}
const { signal } = new AbortController()
const helpers = { job: { id: '7', task_identifier: 'greet' }, abortSignal: signal } as JobHelpers
const run = vi.fn()
const greet = defineTask({ payload: z.object({ name: z.string(), times: z.int().default(1) }), run })(services)

test('run gets the payload as its schema makes it, and the deps', async () => {
  await greet({ name: 'Ana', _cron: { ts: '2026-11-20T10:00:00Z' } }, helpers)

  const [payload, deps] = run.mock.lastCall ?? []
  expect(payload).toEqual({ name: 'Ana', times: 1 })
  expect(deps).toMatchObject({ db: services.db, store: services.store, signal })
  expect(deps.logger.bindings()).toEqual({ task: 'greet', job: '7' })
})

test('a payload that does not fit fails with the reason, and nothing runs', async () => {
  run.mockClear()
  const failure = await Promise.resolve(greet({ times: 'many' }, helpers)).catch((error: unknown) => error)

  expect(failure).toMatchObject({ message: expect.stringMatching(/^The payload does not fit: name: .*; times: /) })
  expect((failure as Error).cause).toBeInstanceOf(ZodError)
  expect((failure as Error).message).not.toContain('many')
  expect(run).not.toHaveBeenCalled()
})

test('an error of run is the error of the job', async () => {
  const error = new Error('No one is home')
  run.mockRejectedValueOnce(error)
  await expect(greet({ name: 'Ana' }, helpers)).rejects.toBe(error)
})
