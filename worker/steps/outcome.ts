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

/** A result with children. The children start now, and the step completes when all its children have completed. */
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
 * visible.
 */
export class Reschedule {
  readonly state: unknown
  readonly delayMs: number
  constructor(state: unknown, delayMs: number) {
    this.state = state
    this.delayMs = delayMs
  }
}

/**
 * A failure with a slug. A permanent failure is not retried. `retryInMs` is a delay that a provider asks for: the delay pauses
 * the whole lane, and such failures are counted apart from others.
 */
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
