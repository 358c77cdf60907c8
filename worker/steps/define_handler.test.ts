import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { bindAll } from '../shared/bind_all.ts'
import { defineHandler, type Handler, Reschedule, type Step, type StepContext, WithChildren } from './define_handler.ts'
import { listVersions } from './list_versions.ts'

const step: Step = {
  id: 1,
  fence: 1,
  runId: 1,
  ownerId: null,
  key: 'count',
  outputs: {},
  state: null,
  failures: 0,
  buyingIsStopped: false,
  signal: new AbortController().signal,
  logger: pino({ level: 'silent' }),
  now: () => 0,
  progress: () => {},
}
type Deps = { clock: { now(): number } }
/** A handler whose run gives this, whatever its output schema says. */
const handlerThatGives = (result: unknown) =>
  defineHandler({
    input: z.object({ n: z.number().default(1) }),
    output: z.object({ sum: z.number() }),
    run: () => result as { sum: number },
  })({})

test('run gets the parsed input, the step and the services that it was bound to', async () => {
  const handler = defineHandler({
    input: z.object({ n: z.number().default(1) }),
    output: z.object({ sum: z.number(), of: z.string() }),
    run: ({ n }, { key, deps }: StepContext<Deps>) => ({ sum: n + deps.clock.now(), of: key }),
  })
  expect(await handler({ clock: { now: () => 7 } })({}, step)).toEqual({ sum: 8, of: 'count' })
  // @ts-expect-error: clock is missing. tsc fails here if the type lets it pass.
  expect(handler({})).toBeTypeOf('function')
})

test('an input that does not match its schema fails permanently, and run is not called', async () => {
  const run = vi.fn(() => null)
  const handler = defineHandler({ input: z.object({ n: z.number() }), output: z.null(), run })({})
  await expect(handler({ n: 'x' }, step)).rejects.toMatchObject({
    ...{ slug: 'input_invalid', isPermanent: true },
    message: 'The input does not match its schema: n: Invalid input: expected number, received string',
  })
  expect(run).not.toHaveBeenCalled()
})

test.each([
  ['alone', { sum: 'x' }],
  ['with children', new WithChildren({ sum: 'x' }, [])],
])('an output that does not match its schema fails permanently: %s', async (_how, output) => {
  await expect(handlerThatGives(output)({}, step)).rejects.toMatchObject({ slug: 'output_invalid', isPermanent: true })
})

test('the output of a step with children is parsed, and the children are kept', async () => {
  const children = [{ key: 'a', type: 'noop' }]
  expect(await handlerThatGives(new WithChildren({ sum: 1, more: 2 }, children))({}, step)).toEqual(
    new WithChildren({ sum: 1 }, children),
  )
})

test('a rescheduled step has no output to check', async () => {
  const later = new Reschedule({ turn: 1 }, 20)
  expect(await handlerThatGives(later)({}, step)).toBe(later)
})

test('a handler keeps its version when it is bound; without a version it has version 1', () => {
  const parts = { input: z.unknown(), output: z.null(), run: () => null }
  const factories = { plain: defineHandler(parts), third: defineHandler({ ...parts, version: 3 }) }
  expect(listVersions(factories)).toEqual({ plain: 1, third: 3 })
  const other: Handler = async () => null
  expect(listVersions({ ...bindAll(factories, {}), other })).toEqual({ plain: 1, third: 3, other: 1 })
})

test.each([0, 1.5, -1, Number.NaN])('a version of %s is refused', (version) => {
  const define = () => defineHandler({ input: z.unknown(), output: z.null(), run: () => null, version })
  expect(define).toThrow('A version must be an integer from 1')
})
