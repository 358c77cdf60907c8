import type { ClaimedStep } from '../../worker/steps/claim.ts'

/** A step as a claim brings it; its fence is its id. */
export function someStep(id: number, more: Partial<ClaimedStep> = {}): ClaimedStep {
  return {
    id,
    fence: id,
    run_id: 1,
    owner_id: null,
    key: `step-${id}`,
    type: 'x',
    input: null,
    state: null,
    failures: 0,
    timeout_ms: 60_000,
    max_output_bytes: 1_000_000,
    outputs: [],
    ...more,
  }
}
