import type { JobHelpers } from 'graphile-worker'
import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { ZodError, z } from 'zod'
import { defineTask, type TaskContext } from './define_task.ts'

type Deps = { greeting: string }
const services = { greeting: 'Hello', logger: pino({ level: 'silent' }) }
const { signal } = new AbortController()
const helpers = { job: { id: '7', task_identifier: 'greet' }, abortSignal: signal } as JobHelpers
const run = vi.fn(async (_payload: { name: string; times: number }, _context: TaskContext<Deps>) => {})
const greet = defineTask({ payload: z.object({ name: z.string(), times: z.int().default(1) }), run })

test('run gets the parsed payload, the services, and the logger and signal of its job', async () => {
  await greet(services)({ name: 'Ana', _cron: { ts: '2026-11-20T10:00:00Z' } }, helpers)

  const [payload, context] = run.mock.lastCall ?? []
  expect(payload).toEqual({ name: 'Ana', times: 1 })
  expect(context).toMatchObject({ greeting: 'Hello', signal })
  expect(context?.logger.bindings()).toEqual({ task: 'greet', job: '7' })
})

test('a task cannot be bound without the services that its run asks for', () => {
  // @ts-expect-error: greeting is missing. tsc fails here if the type lets it pass.
  expect(greet({ logger: services.logger })).toBeTypeOf('function')
})

test('a payload that does not match its schema fails with the reason, and run is not called', async () => {
  run.mockClear()
  const failure = await Promise.resolve(greet(services)({ times: 'many' }, helpers)).catch((error: unknown) => error)

  expect(failure).toMatchObject({
    message: expect.stringMatching(/^The payload does not match its schema: name: .*; times: /),
  })
  expect((failure as Error).cause).toBeInstanceOf(ZodError)
  expect((failure as Error).message).not.toContain('many')
  expect(run).not.toHaveBeenCalled()
})

const traps = new Proxy(new Error('x'), {
  getPrototypeOf: () => {
    throw new Error('getPrototypeOf')
  },
})
test.each([
  ['a text', 'No one is home', 'No one is home'],
  ['null', null, 'null'],
  ['an error with a character that Postgres cannot store', new Error('No\u0000 one'), 'No one'],
  ['a long error', new Error('x'.repeat(50_000_000)), expect.stringMatching(/^x{2000}… \(50000000 characters\)$/)],
  ['a proxy that throws', traps, 'x'],
])('%s that run throws becomes an error that can be stored', async (_what, thrown, message) => {
  run.mockRejectedValueOnce(thrown)
  const failure = await Promise.resolve(greet(services)({ name: 'Ana' }, helpers)).catch((error: Error) => error)
  expect((failure as Error).message).toEqual(message)
  expect((failure as Error).cause === thrown).toBe(true)
})

test('an error that run throws is the error of the job', async () => {
  const error = new Error('No one is home')
  run.mockRejectedValueOnce(error)
  await expect(greet(services)({ name: 'Ana' }, helpers)).rejects.toBe(error)
})
