/** A step in the form that `submit_run` accepts. */
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

/**
 * A result with children. The children start now, and the step completes when all its children have completed.
 *
 * Outputs, states and the inputs of children are JSON. A value that JSON would lose or change fails the step as
 * `output_invalid`: undefined (except as the value of a property), NaN, Infinity, a BigInt, function, symbol, Map, Set,
 * Promise, Error, typed array or invalid Date, and an object whose class has no fields and no toJSON. Return null from a
 * handler that has no output.
 */
export class WithChildren {
  readonly output: unknown
  readonly children: StepSpec[]
  constructor(output: unknown, children: StepSpec[]) {
    this.output = output
    this.children = children
  }
}

/**
 * A result that runs the step again later, with this state. Until then the step occupies no slot, and its progress stays
 * visible. The delay is 366 days at most. With null as state, the step has none on its next turn.
 *
 * A state describes what the step has begun, for example the operation of a provider. It survives the failure, the
 * cancellation and the retry of the step, so that the same operation continues; see `dropsState` of {@link StepError}.
 *
 * `resetsCounts` sets the counts of failures, delays and losses to 0. Use it when the turn has finished a part of the work, so
 * that a step of hundreds of parts has all its attempts for each part. Never use it when the next turn may begin the same part
 * again: such a step would be tried without end.
 */
export class Reschedule {
  readonly state: unknown
  readonly delayMs: number
  readonly resetsCounts: boolean
  constructor(state: unknown, delayMs: number, options: { resetsCounts?: boolean } = {}) {
    this.state = state
    this.delayMs = delayMs
    this.resetsCounts = options.resetsCounts ?? false
  }
}

/**
 * A failure with a slug. The owner of the step reads the message, so write one sentence for people: what is wrong, then what
 * to do. Never put a URL, address, host, path, stack or the message of another error into the message: pass the error as
 * `cause`, which only the log has. (The engine replaces what looks like an address or a path by "…".) Every other thrown
 * value fails the step as `handler_failed`, with a constant message. See docs/guide/handlers.md.
 *
 * A permanent failure is not retried. `retryInMs` is a delay that a provider asks for, a day at most: the delay pauses the
 * whole lane, and such failures are counted apart from others. A negative delay counts as 0. A delay that is NaN, or that
 * belongs to a permanent failure, is ignored.
 *
 * `retryGrows` doubles `retryInMs` with each such failure of the step, up to five minutes: for a provider that refuses without
 * saying for how long.
 *
 * `dayEndsInMs` says that the quota of a provider's day is used up, and when that day ends: 25 hours ahead at most. The whole
 * lane is held until then, and its owner reads the message as the reason. Such a failure counts as a delay.
 *
 * A failure keeps the state that the step saved. `dropsState` removes the state, because the operation that it describes has
 * ended: the next attempt, or a retry of the run, begins another operation.
 */
export class StepError extends Error {
  readonly slug: string
  readonly isPermanent: boolean
  readonly retryInMs: number | undefined
  readonly retryGrows: boolean
  readonly dayEndsInMs: number | undefined
  readonly dropsState: boolean
  constructor(
    slug: string,
    message: string,
    options: {
      isPermanent?: boolean
      retryInMs?: number | undefined
      retryGrows?: boolean
      dayEndsInMs?: number | undefined
      dropsState?: boolean
      cause?: unknown
    } = {},
  ) {
    super(message, { cause: options.cause })
    this.slug = slug
    this.isPermanent = options.isPermanent ?? false
    this.retryInMs = options.retryInMs
    this.retryGrows = options.retryGrows ?? false
    this.dayEndsInMs = options.dayEndsInMs
    this.dropsState = options.dropsState ?? false
  }
}
