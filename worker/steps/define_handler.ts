import type { Logger } from 'pino'
import type { z } from 'zod'
import { Reschedule, StepError, WithChildren } from '../outcomes/outcome.ts'
import { describeIssues } from '../shared/describe_issues.ts'

export { Reschedule, StepError, type StepSpec, WithChildren } from '../outcomes/outcome.ts'

/** The facts about a step that the pump gives to its handler, besides the input. */
export type Step = {
  id: number
  /** The number of this attempt. A function of the worker's door that serves one step takes id and fence. */
  fence: number
  runId: number
  ownerId: string | null
  key: string
  /** `{ key: output }` of the steps that this step depends on; `{ error: slug }` for a step that failed under `continue`. */
  outputs: Record<string, unknown>
  /** The state that the step saved when it rescheduled itself; null on its first turn. */
  state: unknown
  /** How often the step failed before. */
  failures: number
  /** Whether the step must begin no new purchase in this turn: the type is paid, and an operator has stopped buying. */
  buyingIsStopped: boolean
  /**
   * Aborts at the timeout, when the run is cancelled or fails, and when the worker stops. Then return or throw within 1 s.
   */
  signal: AbortSignal
  logger: Logger
  /**
   * The time by the clock of the database, in milliseconds since 1970. Use it for every time in a state or output, because
   * another worker, whose clock may be hours apart, compares it.
   */
  now(): number
  /** Reports progress from 0 to 1. Clients see it within a second or two. */
  progress(fraction: number): void
}

/** The second argument of `run`: the step, and the services that the handlers of a product need. */
export type StepContext<Deps = unknown> = Step & { deps: Deps }

/** A handler as the pump calls it. A handler without a version has version 1. */
export type Handler = ((input: unknown, step: Step) => Promise<unknown>) & { readonly version?: number }

/** Makes a handler from the services that it needs. */
export type HandlerFactory<Deps> = ((deps: Deps) => Handler) & { readonly version?: number }

/**
 * Defines the handler of a job type. `Deps` is inferred from the type of `run`'s second parameter, so this file imports no
 * product.
 *
 * An input or output that does not match its schema fails the step permanently, because the next attempt would get the same
 * input. A handler runs at least once: write the handler so that a repeated run does no harm.
 *
 * `version` counts the forms of the input, from 1. The pump gets only steps whose `job_types.version` at their creation was
 * not higher. docs/guide/handlers.md says how to change an input.
 */
export function defineHandler<Input extends z.ZodType, Output extends z.ZodType, Deps = unknown>(definition: {
  input: Input
  output: Output
  version?: number
  run(
    input: z.output<Input>,
    context: StepContext<Deps>,
  ): Promise<z.input<Output> | WithChildren | Reschedule> | z.input<Output> | WithChildren | Reschedule
}): HandlerFactory<Deps> {
  const parse = (schema: z.ZodType, value: unknown, what: string) => {
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data
    throw new StepError(`${what}_invalid`, `The ${what} does not match its schema: ${describeIssues(parsed.error)}`, {
      isPermanent: true,
    })
  }
  const { version = 1 } = definition
  if (!Number.isSafeInteger(version) || version < 1)
    throw new Error(`A version must be an integer from 1, not ${version}.`)
  const bind = (deps: Deps) => async (input: unknown, step: Step) => {
    const parsed = parse(definition.input, input, 'input') as z.output<Input>
    const result = await definition.run(parsed, Object.assign(step, { deps }))
    if (result instanceof Reschedule) return result
    if (result instanceof WithChildren) {
      return new WithChildren(parse(definition.output, result.output, 'output'), result.children)
    }
    return parse(definition.output, result, 'output')
  }
  return Object.assign((deps: Deps) => Object.assign(bind(deps), { version }), { version })
}
