import { type Claim, type ClaimedStep, createClaim } from './claim.ts'
import type { Result } from './exchange.ts'
import type { NamedClaim } from './heartbeat.ts'
import type { RunStep } from './run_step.ts'
import { describeReturn } from './serialize_result.ts'

/** The claims of this process: `concurrency` claims run in slots, and the others wait for a slot. */
export type Slots = {
  /** How many claims run or wait. */
  readonly size: number
  /** How many claims wait. */
  readonly waiting: number
  /** Adds steps that were just claimed, and runs as many as there are free slots. */
  add(steps: ClaimedStep[]): void
  /** Removes claims whose result the database has. */
  forget(fences: number[]): void
  /** Lists all claims that are not removed. */
  list(): NamedClaim[]
  /** Returns the claims that have waited for `waitedMs` to the queue, without counting failures. Returns their number. */
  returnStale(waitedMs: number): number
  /** Ends a claim whose result the database will refuse: aborts its handler or, if the claim waits for a slot, returns it. */
  end(fence: number): void
  /** Ends all claims, and from now on returns each new claim at once. */
  close(): void
  /** Returns the claims whose handlers ignore their signal. Their own results will be refused. */
  returnRunning(): void
}

export function createSlots(options: {
  concurrency: number
  runStep: RunStep
  /** Called with the result of each claim, also for returned claims. */
  onResult(result: Result): void
  /** Called when a step has ended and the waiting claims have filled the slots again. */
  onEnd(durationMs: number): void
}): Slots {
  const { concurrency, runStep, onResult, onEnd } = options
  // Claims by fence.
  const all = new Map<number, Claim>()
  const running = new Map<number, Claim>()
  const waiting: Claim[] = []
  let isClosed = false

  function fill(): void {
    while (running.size < concurrency) {
      const next = waiting.shift()
      if (next === undefined) return
      running.set(next.step.fence, next)
      void occupy(next)
    }
  }

  async function occupy(claim: Claim): Promise<void> {
    const startedAt = performance.now()
    const text = await runStep(claim)
    const durationMs = performance.now() - startedAt
    running.delete(claim.step.fence)
    onResult({ fence: claim.step.fence, text })
    fill()
    onEnd(durationMs)
  }

  function giveBack(claims: Claim[]): void {
    for (const { step } of claims) onResult({ fence: step.fence, text: describeReturn(step) })
  }

  return {
    get size() {
      return running.size + waiting.length
    },
    get waiting() {
      return waiting.length
    },
    add(steps) {
      for (const step of steps) {
        const claim = createClaim(step)
        all.set(step.fence, claim)
        waiting.push(claim)
      }
      // A call that ran during the stop may still return steps.
      if (isClosed) giveBack(waiting.splice(0))
      fill()
    },
    forget(fences) {
      for (const fence of fences) all.delete(fence)
    },
    list: () => Array.from(all.values(), ({ step: { id, fence }, progress }) => ({ id, fence, progress })),
    returnStale(waitedMs) {
      const now = performance.now()
      const stale = waiting.filter(({ claimedAt }) => now - claimedAt > waitedMs)
      for (const claim of stale) waiting.splice(waiting.indexOf(claim), 1)
      giveBack(stale)
      return stale.length
    },
    end(fence) {
      running.get(fence)?.abort.abort(new Error('The run has ended, or another worker has the step.'))
      const index = waiting.findIndex(({ step }) => step.fence === fence)
      if (index !== -1) giveBack(waiting.splice(index, 1))
    },
    close() {
      isClosed = true
      giveBack(waiting.splice(0))
      for (const { abort } of running.values()) abort.abort(new Error('The worker is stopping.'))
    },
    returnRunning: () => giveBack([...running.values()]),
  }
}
