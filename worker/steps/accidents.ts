import { AsyncLocalStorage } from 'node:async_hooks'
import type { Claim } from './claim.ts'

/** An event for which Node ends a process, although each handler should only end its own step. */
export type Accident = {
  kind: AccidentKind
  /** The thrown or rejected value. */
  error: unknown
  /** Undefined if the async context does not tell. */
  culprit: Culprit | undefined
}
/** The claim whose handler caused an accident, or the name of the task that did. */
export type Culprit = Claim | string
export type AccidentKind = 'exception' | 'rejection' | 'exit'

/** Tells which handler or task causes an accident of the process. */
export type Accidents = {
  /**
   * Calls a handler or a task. An accident of its code, also in timers and callbacks that it leaves behind, has this culprit.
   * Undefined: the caller is not the culprit of an accident of this work.
   */
  call<Result>(culprit: Culprit | undefined, work: () => Result): Result
  /** Watches the process: from now on, an accident does not end the process. Returns a function that ends the watch. */
  watch(onAccident: (accident: Accident) => void): () => void
}

/** The sentences that owners see: they hold no text of the error, because the error may hold anything. */
export const accidentMessages: Record<AccidentKind, string> = {
  exception: advise('The handler let an error escape: thrown in a callback, or an error event without a listener.'),
  rejection: advise('The handler left a promise behind that was rejected, and nothing handled the rejection.'),
  exit: advise('The handler called process.exit.'),
}

function advise(what: string): string {
  return `${what} Retry the run. If the step fails again, tell the operator, who finds the reason in the log of the worker, under the id of the step.`
}

/**
 * Follows handlers by their async context. The context is lost where another context calls a callback of the handler or
 * rejects a promise of the handler, for example from an emitter that several handlers share; then `culprit` is undefined. Very
 * rarely the context is that of another handler, which opened a connection that both use. The step of this handler counts one
 * failure, and its next attempt runs alone, so that no accident of another handler can be attributed to it.
 */
export function createAccidents(): Accidents {
  const context = new AsyncLocalStorage<Culprit | undefined>()
  return {
    call: (culprit, work) => context.run(culprit, work),
    watch(onAccident) {
      const report = (kind: AccidentKind, error: unknown) => {
        const culprit = context.getStore()
        // Outside of the context, so that an error in `onAccident` is not attributed to the handler.
        context.exit(() => onAccident({ kind, error, culprit }))
      }
      const onException = (error: unknown) => report('exception', error)
      const onRejection = (error: unknown) => report('rejection', error)
      const { exit } = process
      process.exit = (code) => {
        if (context.getStore() === undefined) return exit.call(process, code)
        const error = new Error(`A handler or a task called process.exit(${code ?? ''}).`)
        report('exit', error)
        throw error
      }
      process.on('uncaughtException', onException)
      process.on('unhandledRejection', onRejection)
      return () => {
        process.exit = exit
        process.off('uncaughtException', onException)
        process.off('unhandledRejection', onRejection)
      }
    },
  }
}
