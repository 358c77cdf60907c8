import type { Logger } from 'pino'
import { z } from 'zod'
import type { DramaAssets } from './adapters/drama_assets.ts'
import type { Gemini } from './adapters/gemini.ts'
import type { Templates } from './templates/resolver.ts'

/** What the process has for its handlers. */
export type HandlerDeps = {
  /** The prompts: versions, in a language. */
  templates: Templates
  gemini: Gemini
  /** Where the images and videos of dramas are put. */
  assets: DramaAssets
}

/** What a handler is told of its step, beside its input. */
export type StepContext = {
  id: number
  runId: number
  ownerId: string | null
  key: string
  /** `{ key: output }` of the steps that it depends on; `{ error: slug }` for one that has failed under `continue`. */
  outputs: Record<string, unknown>
  /** What it saved when it rescheduled itself; null at first. */
  state: unknown
  /** How often it has failed before. */
  failures: number
  /** Aborts at the timeout, when the run is cancelled or failing, and when the worker stops: end, or throw, within 2 s. */
  signal: AbortSignal
  logger: Logger
  deps: HandlerDeps
  /** From 0 to 1; clients see it within a second or two. */
  progress(fraction: number): void
}

/** A step as SQL and `submit_run` have it. */
export type StepSpec = {
  key: string
  type: string
  input?: unknown
  depends_on?: string[]
  steps?: StepSpec[]
  on_failure?: 'fail_run' | 'skip_dependents' | 'continue'
  collect?: 'children'
  priority?: number
}

/** Ends a step that brings children: they start now, and it joins them. */
export class WithChildren {
  readonly output: unknown
  readonly children: StepSpec[]
  constructor(output: unknown, children: StepSpec[]) {
    this.output = output
    this.children = children
  }
}

/** Ends a step for now: it comes again later, with this state, and holds no slot meanwhile. */
export class Reschedule {
  readonly state: unknown
  readonly delayMs: number
  constructor(state: unknown, delayMs: number) {
    this.state = state
    this.delayMs = delayMs
  }
}

/** A failure with a name. Permanent ones are not tried again; `retryInMs` is a provider's delay, and holds the whole lane. */
export class StepError extends Error {
  readonly slug: string
  readonly isPermanent: boolean
  readonly retryInMs: number | undefined
  constructor(
    slug: string,
    message: string,
    options: { isPermanent?: boolean; retryInMs?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.slug = slug
    this.isPermanent = options.isPermanent ?? false
    this.retryInMs = options.retryInMs
  }
}

/** A handler as the pump runs it. */
export type Handler = (input: unknown, context: StepContext) => Promise<unknown>

/**
 * Makes the handler of a job type. Input and output are checked: what does not fit fails for good, since the next attempt
 * would be given the same. Handlers run at least once: write them so that a repetition does no harm.
 */
export function defineHandler<Input extends z.ZodType, Output extends z.ZodType>(definition: {
  input: Input
  output: Output
  run(
    input: z.output<Input>,
    context: StepContext,
  ): Promise<z.input<Output> | WithChildren | Reschedule> | z.input<Output> | WithChildren | Reschedule
}): Handler {
  const parse = (schema: z.ZodType, value: unknown, what: string) => {
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data
    throw new StepError(`${what}_invalid`, `The ${what} does not fit: ${z.prettifyError(parsed.error)}`, {
      isPermanent: true,
    })
  }
  return async (input, context) => {
    const result = await definition.run(parse(definition.input, input, 'input') as z.output<Input>, context)
    if (result instanceof Reschedule) return result
    if (result instanceof WithChildren) {
      return new WithChildren(parse(definition.output, result.output, 'output'), result.children)
    }
    return parse(definition.output, result, 'output')
  }
}
