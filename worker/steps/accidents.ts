import { AsyncLocalStorage } from 'node:async_hooks'
import type { Claim } from './claim.ts'

/** An event for which Node ends a process, although each handler should only end its own step. */
export type Accident = {
  kind: AccidentKind
  /** The thrown or rejected value. */
  error: unknown
  /** The claim whose handler caused the accident; undefined if the async context does not tell. */
  claim: Claim | undefined
}
export type AccidentKind = 'exception' | 'rejection' | 'exit'

/** Tells which handler causes an accident of the process. */
export type Accidents = {
  /** Calls a handler. An accident of its code, also in timers and callbacks that it leaves behind, has this claim. */
  call<Result>(claim: Claim, work: () => Result): Result
  /** Watches the process: from now on, an accident does not end the process. Returns a function that ends the watch. */
  watch(onAccident: (accident: Accident) => void): () => void
}

/** The sentences that owners see: they hold no text of the error, because the error may hold anything. */
export const accidentMessages: Record<AccidentKind, string> = {
  exception: 'The handler let an error escape: thrown in a callback, or an error event without a listener.',
  rejection: 'The handler left a promise behind that was rejected, and nothing handled the rejection.',
  exit: 'The handler called process.exit.',
}

/**
 * Follows handlers by their async context. The context is lost where another context calls a callback of the handler or
 * rejects a promise of the handler, for example from an emitter that several handlers share; then `claim` is undefined. Very
 * rarely the context is that of another handler, which opened a connection that both use. Such a wrong culprit counts one
 * failure, and then runs alone, where no accident of another handler can be its own.
 */
export function createAccidents(): Accidents {
  const context = new AsyncLocalStorage<Claim>()
  return {
    call: (claim, work) => context.run(claim, work),
    watch(onAccident) {
      const report = (kind: AccidentKind, error: unknown) => {
        const claim = context.getStore()
        // Outside of the context, so that the handler of the accident is not taken for the handler that caused it.
        context.exit(() => onAccident({ kind, error, claim }))
      }
      const onException = (error: unknown) => report('exception', error)
      const onRejection = (error: unknown) => report('rejection', error)
      const { exit } = process
      process.exit = (code) => {
        if (context.getStore() === undefined) return exit.call(process, code)
        const error = new Error(`The handler called process.exit(${code ?? ''}).`)
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
