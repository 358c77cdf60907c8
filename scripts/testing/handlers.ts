import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import {
  defineHandler,
  type HandlerFactory,
  Reschedule,
  type StepContext,
  StepError,
  WithChildren,
} from '../../worker/steps/define_handler.ts'
import { render, type Templates } from '../../worker/templates/resolver.ts'
import { odd } from './oddities.ts'
import { poison } from './poison.ts'

/** The types of {@link testHandlers}, as SQL. */
export const testTypes = `
  insert into job_types (name, max_failures, backoff, timeout) values
    ('noop', 3, '10 ms', '1 minute'), ('nap', 50, '10 ms', '1 minute'), ('stubborn', 2, '10 ms', '500 ms'),
    ('flaky', 50, '10 ms', '1 minute'), ('branch', 50, '10 ms', '1 minute'), ('poll', 3, '10 ms', '1 minute'),
    ('huge', 3, '10 ms', '1 minute'), ('picky', 3, '10 ms', '1 minute'), ('prompt', 3, '10 ms', '1 minute'),
    ('poison', 2, '10 ms', '1 minute'), ('call', 1, '10 ms', '1 minute'), ('compute', 3, '10 ms', '1 minute'),
    ('odd', 1, '10 ms', '1 minute')
  on conflict do nothing`

/** Handlers for tests, benchmarks and chaos. */
export const testHandlers: Record<string, HandlerFactory<{ templates: Templates }>> = {
  /** Returns the keys of the steps whose outputs it got. */
  noop: defineHandler({
    input: z.unknown(),
    output: z.object({ of: z.array(z.string()) }),
    run: (_input, { outputs }) => ({ of: Object.keys(outputs) }),
  }),
  nap: defineHandler({
    input: z.object({ ms: z.number(), ignoresSignal: z.boolean().default(false) }),
    output: z.object({ napped: z.number() }),
    async run({ ms, ignoresSignal }, { signal, progress, logger }) {
      logger.debug('Handler began')
      progress(0.5)
      await sleep(ms, undefined, ignoresSignal ? {} : { signal })
      return { napped: ms }
    },
  }),
  /** Ignores its signal. */
  stubborn: defineHandler({
    input: z.object({ ms: z.number().default(2800) }),
    output: z.null(),
    async run({ ms }) {
      await sleep(ms)
      return null
    },
  }),
  /** Calls a provider, which is a server of the test. */
  call: defineHandler({
    input: z.object({ url: z.string(), ignoresSignal: z.boolean().default(false) }),
    output: z.string(),
    async run({ url, ignoresSignal }, { signal }) {
      const answer = await fetch(url, { headers: { 'x-pid': `${process.pid}` }, ...(!ignoresSignal && { signal }) })
      return answer.text()
    },
  }),
  poison,
  odd,
  /** Computes, and lets nothing else run in its thread; without `ms` it never ends. */
  compute: defineHandler({
    input: z.object({ ms: z.number().optional() }),
    output: z.object({ rounds: z.number() }),
    run({ ms = Number.POSITIVE_INFINITY }, { logger }) {
      logger.debug('Handler began')
      let rounds = 0
      for (const end = performance.now() + ms; performance.now() < end; ) rounds += 1
      return { rounds }
    },
  }),
  flaky: defineHandler({
    input: z.object({ failures: z.number() }),
    output: z.object({ failures: z.number() }),
    run: (input, { failures }) => {
      if (failures < input.failures) throw new StepError('flaked', 'Not this time.')
      return { failures }
    },
  }),
  branch: defineHandler({
    input: z.object({ children: z.number(), depth: z.number() }),
    output: z.object({ children: z.number() }),
    run: ({ children, depth }) =>
      new WithChildren(
        { children },
        Array.from({ length: children }, (_one, index) => ({
          key: `child-${index}`,
          type: depth > 1 ? 'branch' : 'noop',
          input: { children, depth: depth - 1 },
          depends_on: index > 0 && index % 3 === 0 ? [`child-${index - 1}`] : [],
        })),
      ),
  }),
  poll: defineHandler({
    input: z.object({ turns: z.number() }),
    output: z.object({ turns: z.number() }),
    run: ({ turns }, { state }) => {
      const turn = z.object({ turn: z.number() }).catch({ turn: 0 }).parse(state).turn
      return turn < turns ? new Reschedule({ turn: turn + 1 }, 20) : { turns: turn }
    },
  }),
  huge: defineHandler({
    input: z.unknown(),
    output: z.string(),
    run: () => 'x'.repeat(1_100_000),
  }),
  /** Renders a prompt of drama, like a handler that calls a model. */
  prompt: defineHandler({
    input: z.object({ premise: z.string() }),
    output: z.object({
      version: z.string(),
      source: z.string(),
      prompt: z.string(),
      usage: z.object({ input_tokens: z.number(), output_tokens: z.number() }),
    }),
    async run(variables, { deps, id, ownerId, signal }: StepContext<{ templates: Templates }>) {
      const { artifacts, version, source } = await deps.templates.resolve({
        template: 'drama',
        locale: 'en',
        key: ownerId ?? String(id),
        jobId: id,
        signal,
      })
      const prompt = render(artifacts['outline_prompt']?.text ?? '', {
        character_count: 2,
        episode_count: 3,
        language: 'English',
        ...variables,
      })
      return { version, source, prompt, usage: { input_tokens: prompt.length, output_tokens: 1 } }
    },
  }),
  picky: defineHandler({
    input: z.object({ name: z.string() }),
    output: z.object({ size: z.number() }),
    run: ({ name }) => (name === 'nul' ? { size: '\u0000' } : { size: name }) as never,
  }),
}
