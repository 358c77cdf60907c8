/** A step as `worker.exchange_work` returns it. */
export type ClaimedStep = {
  id: number
  fence: number
  run_id: number
  owner_id: string | null
  key: string
  type: string
  input: unknown
  state: unknown
  failures: number
  /** How often the process of the step ended or stalled while the step may have been running. */
  losses: number
  /** Whether no other step may run in the process while this step runs. */
  runs_alone: boolean
  /** When the step was claimed, by the clock of the database, in milliseconds since 1970. */
  now_ms: number
  /** The failure that the step must be handed in with, permanently, instead of being run. */
  fault: { slug: string; message: string } | null
  timeout_ms: number
  max_output_bytes: number
  /** Whether the step must begin no new purchase in this turn, because an operator has stopped buying. */
  buying_is_stopped: boolean
  /** The outputs that the step depends on, as leaves; null if they are too large to be returned with the step. */
  outputs: [string[], unknown][] | null
}

/** A claimed step in this process, from its claim until the database has its result. */
export type Claim = {
  step: ClaimedStep
  /** Aborts the handler. A StepError as reason fails the step. Any other reason returns the step without counting a failure. */
  abort: AbortController
  /** The progress that the handler reported last, from 0 to 1. */
  progress: number
  /** When this process asked for steps and got this one, by `performance.now()`. */
  askedAt: number
  /** By `performance.now()`. */
  claimedAt: number
}

export function createClaim(step: ClaimedStep, askedAt = performance.now()): Claim {
  return { step, abort: new AbortController(), progress: 0, askedAt, claimedAt: performance.now() }
}
