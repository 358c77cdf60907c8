import { AuthError } from './errors.ts'

/** Runs work that needs much processor time: a few calls at a time, and the others wait. */
export type Queue = {
  /** Runs `work` when its turn comes. Refuses if too many calls wait, or if the client has disconnected. */
  run<T>(isGone: () => boolean, work: () => Promise<T>): Promise<T>
}

/** Creates a queue. A bcrypt hash takes about 70 ms of a processor, and anybody may ask for one. */
export function createQueue(atOnce: number, mayWait: number): Queue {
  const waiting: (() => void)[] = []
  let running = 0
  return {
    async run(isGone, work) {
      if (running >= atOnce) {
        if (waiting.length >= mayWait) {
          throw new AuthError(429, 'over_request_rate_limit', 'Request rate limit reached')
        }
        await new Promise<void>((resolve) => waiting.push(resolve))
      } else {
        running++
      }
      try {
        if (isGone()) throw new AuthError(504, 'request_timeout', 'The client has closed the connection')
        return await work()
      } finally {
        const next = waiting.shift()
        // Hands the place directly to the next call in the queue, so that no new call gets it first.
        if (next) next()
        else running--
      }
    },
  }
}
