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

/** Ends a step for now: it comes again later, with this state, and holds no slot meanwhile. Its progress stays visible. */
export class Reschedule {
  readonly state: unknown
  readonly delayMs: number
  constructor(state: unknown, delayMs: number) {
    this.state = state
    this.delayMs = delayMs
  }
}

/**
 * A failure with a name. Permanent ones are not tried again; `retryInMs` is a provider's delay: it holds the whole lane, and counts
 * apart from other failures.
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
