import { AuthError } from './errors.ts'

/** Runs work that costs a processor, a few at a time; the others wait. */
export type Queue = {
  /** Runs `work` in its turn. Refuses when too many wait, and when the client has gone before its turn. */
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
        // The place goes to the next in line, so nobody else can take it in between.
        if (next) next()
        else running--
      }
    },
  }
}
