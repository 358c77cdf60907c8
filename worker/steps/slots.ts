import type { ClaimsTable } from '../heartbeat/claims_table.ts'
import { StepError } from '../outcomes/outcome.ts'
import { describeCrash, describeFailure, describeLoss, describeReturn } from '../outcomes/serialize_result.ts'
import { type AccidentKind, accidentMessages, type Culprit } from './accidents.ts'
import { type Claim, type ClaimedStep, createClaim } from './claim.ts'
import type { Result } from './exchange.ts'
import type { RunStep } from './run_step.ts'

/** The claims of this process: `concurrency` claims run in slots, and the others wait for a slot. */
export type Slots = {
  /** How many claims run or wait. */
  readonly size: number
  /** How many claims wait, or run and were not told to end: a drain does not wait for handlers that ignore their signal. */
  readonly busy: number
  /** How many claims wait. */
  readonly waiting: number
  /**
   * Whether a step that runs alone waits, runs, or has a result that the database does not have yet: claim nothing now, because
   * no other step would start.
   */
  readonly isReserved: boolean
  /**
   * Adds steps that were just claimed, and runs as many as there are free slots. `askedAt` is when this process asked for
   * steps, by `performance.now()`. Default: now.
   */
  add(steps: ClaimedStep[], askedAt?: number): void
  /** Removes claims whose result the database has, and starts the claims that waited for that. */
  forget(fences: number[]): void
  /**
   * Lets other steps start before the database has the results of these claims, because another transaction, perhaps of a
   * client, decides when the database can store them. The heartbeat lists the claims until `forget`.
   */
  postpone(fences: number[]): void
  /** Writes the progress of the claims into the table. */
  report(): void
  /**
   * Returns the claims that have waited for `waitedMs` to the queue, except the next step that runs alone. Returns their
   * number. A returned step counts neither a failure nor a loss.
   */
  returnStale(waitedMs: number): number
  /** Ends a claim whose result the database will refuse: aborts its handler or, if the claim waits for a slot, returns it. */
  end(fence: number): void
  /** Starts no more steps: returns the claims that wait now and each new claim at once. Running claims continue. */
  close(): void
  /** Aborts the handlers of all running claims, and returns their steps. */
  abort(): ClaimedStep[]
  /**
   * Hands in a result for each claim whose handler ignored its signal, before the process exits: a step whose timeout is over
   * fails, all others are returned. Results that these handlers return later are dropped.
   */
  endRunning(): void
  /**
   * Ends all claims after an accident of the process: the step of `culprit`, which caused the accident, counts a failure, and
   * all others are returned. Without a culprit, each running step counts a loss. Aborts all handlers.
   */
  endAfterAccident(kind: AccidentKind, culprit: Culprit | undefined): void
}

export function createSlots(options: {
  concurrency: number
  /** Knows all claims until the database has their results. */
  table: ClaimsTable
  /** Whether a step may begin. False if its claim may be lost: then the step is returned instead. */
  mayBegin(claim: Claim): boolean
  runStep: RunStep
  /** Does work in the context of a claim's handler, so that an accident of the work is attributed to the handler. */
  callAs(claim: Claim, work: () => void): void
  /** Called with the result of each claim, also for returned claims. */
  onResult(result: Result): void
  /** Called when a step has ended and the waiting claims have filled the slots again. */
  onEnd(durationMs: number): void
  /** Called when a handler has not ended although its signal aborted `ignoredMaxMs` ago. */
  onIgnoredSignal(claim: Claim): void
  ignoredMaxMs: number
}): Slots {
  const { concurrency, table, mayBegin, runStep, callAs, onResult, onEnd, onIgnoredSignal, ignoredMaxMs } = options
  // Claims by fence.
  const all = new Map<number, Claim>()
  const running = new Map<number, Claim>()
  const waiting: Claim[] = []
  /** How many claims that run alone have no result in the database yet: usually 0, and then no claim is searched. */
  let aloneCount = 0
  let isClosed = false

  const hand = ({ fence, owner_id }: ClaimedStep, text: string) => onResult({ fence, text, ownerId: owner_id })
  const findAlone = () => (aloneCount === 0 ? -1 : waiting.findIndex(({ step }) => step.runs_alone))

  /**
   * Removes and returns the next waiting claim that may start now. A step that runs alone may end the process at once, so it
   * starts after the database has the results of all claims that have ended. Otherwise their steps would count a loss.
   */
  function takeNext(): Claim | undefined {
    if (running.size >= concurrency) return undefined
    if (aloneCount === 0) return waiting.shift()
    return all.size === waiting.length ? waiting.splice(findAlone(), 1)[0] : undefined
  }

  /**
   * Returns all waiting claims but the next that must run alone. If that step ended the process before the next heartbeat, the
   * database would not know that the others were only waiting, and each would count a loss.
   */
  function returnOthers(): void {
    if (aloneCount === 0 || waiting.length === 0) return
    const next = waiting[findAlone()]
    const others = waiting.filter((claim) => claim !== next)
    waiting.splice(0, waiting.length, ...(next ? [next] : []))
    returnClaims(others)
  }

  function fill(): void {
    returnOthers()
    for (let next = takeNext(); next !== undefined; next = takeNext()) {
      if (!mayBegin(next)) {
        returnClaims([next])
        continue
      }
      table.begin(next.step.fence)
      running.set(next.step.fence, next)
      void occupy(next)
    }
  }

  async function occupy(claim: Claim): Promise<void> {
    const { fence } = claim.step
    const startedAt = performance.now()
    let timer: NodeJS.Timeout | undefined
    const onAbort = () => {
      timer = setTimeout(() => onIgnoredSignal(claim), ignoredMaxMs)
      timer.unref()
    }
    claim.abort.signal.addEventListener('abort', onAbort, { once: true })
    const text = await runStep(claim)
    table.end(fence)
    claim.abort.signal.removeEventListener('abort', onAbort)
    clearTimeout(timer)
    // Otherwise this process has already handed in another result of this claim.
    if (!running.delete(fence)) return
    hand(claim.step, text)
    fill()
    onEnd(performance.now() - startedAt)
  }

  function returnClaims(claims: Claim[]): void {
    for (const { step } of claims) hand(step, describeReturn(step))
  }

  /** Aborts a handler. A listener of the signal that throws is an accident of this handler. */
  function abortOne(claim: Claim, reason: string): void {
    callAs(claim, () => claim.abort.abort(new Error(reason)))
  }

  function abort(): ClaimedStep[] {
    const claims = [...running.values()]
    for (const claim of claims) abortOne(claim, 'The worker is stopping.')
    return claims.map(({ step }) => step)
  }

  /** Hands in a result for each running claim, whose own result is dropped. */
  function endAll(describe: (claim: Claim) => string): void {
    for (const claim of running.values()) hand(claim.step, describe(claim))
    running.clear()
  }

  /** Starts the steps that waited for the results of these claims. */
  function release(fences: number[]): void {
    for (const fence of fences) {
      if (all.get(fence)?.step.runs_alone) aloneCount -= 1
      all.delete(fence)
    }
    fill()
  }

  function close(): void {
    isClosed = true
    returnClaims(waiting.splice(0))
  }

  return {
    get size() {
      return running.size + waiting.length
    },
    get busy() {
      return waiting.length + [...running.values()].filter(({ abort }) => !abort.signal.aborted).length
    },
    get waiting() {
      return waiting.length
    },
    get isReserved() {
      return aloneCount > 0
    },
    add(steps, askedAt) {
      for (const step of steps) {
        const claim = createClaim(step, askedAt)
        table.add(step)
        all.set(step.fence, claim)
        waiting.push(claim)
        if (step.runs_alone) aloneCount += 1
      }
      // A call that ran during the stop may still return steps.
      if (isClosed) returnClaims(waiting.splice(0))
      fill()
    },
    forget(fences) {
      for (const fence of fences) table.remove(fence)
      release(fences)
    },
    postpone: release,
    report() {
      for (const { step, progress } of all.values()) table.report(step.fence, progress)
    },
    returnStale(waitedMs) {
      const now = performance.now()
      const next = waiting[findAlone()]
      const stale = waiting.filter((claim) => claim !== next && now - claim.claimedAt > waitedMs)
      for (const claim of stale) waiting.splice(waiting.indexOf(claim), 1)
      returnClaims(stale)
      return stale.length
    },
    end(fence) {
      const claim = running.get(fence)
      if (claim !== undefined) abortOne(claim, 'The run has ended, or another worker has the step.')
      const index = waiting.findIndex(({ step }) => step.fence === fence)
      if (index === -1) return
      returnClaims(waiting.splice(index, 1))
    },
    close,
    abort,
    endRunning() {
      endAll(({ step, abort: { signal } }) =>
        signal.reason instanceof StepError
          ? describeFailure(step, signal.reason)
          : describeReturn(step, { begun: true }),
      )
    },
    endAfterAccident(kind, culprit) {
      close()
      abort()
      endAll((claim) => {
        if (claim === culprit) return describeCrash(claim.step, accidentMessages[kind])
        return culprit === undefined ? describeLoss(claim.step) : describeReturn(claim.step, { begun: true })
      })
    },
  }
}
