import type { Logger } from 'pino'
import { z } from 'zod'
import type { DramaAssets } from '../adapters/drama_media.ts'
import type { Gemini } from '../adapters/gemini.ts'
import type { Templates } from '../templates/resolver.ts'
import { Reschedule, StepError, WithChildren } from './outcome.ts'

export { Reschedule, StepError, type StepSpec, WithChildren } from './outcome.ts'

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
