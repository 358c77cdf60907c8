import { setTimeout as sleep } from 'node:timers/promises'
import type { S3ServiceException } from '@aws-sdk/client-s3'

/** A fault of one file; the import continues with the next file. */
export class Refusal extends Error {}
/** The store or the API does not answer: the import stops. */
export class Outage extends Error {}
/** A wrong argument of the command: the import stops. */
export class Misuse extends Error {}

const attemptsMax = 6
/** After this time an attempt is the last one, because each attempt at a silent server waits long. */
const patienceMs = 20_000

/** Repeats a call for half a minute, because a store or an API may be down for a moment. A call must end by itself. */
export async function retry<Result>(
  what: 'The store' | 'The API',
  call: (isLast: boolean, attempt: number) => PromiseLike<Result>,
): Promise<Result> {
  const startedAt = performance.now()
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt === attemptsMax || performance.now() - startedAt > patienceMs
    try {
      const result = await call(isLast, attempt)
      const failed = (result as { error?: { message: string } | null } | undefined)?.error
      if (failed) throw new Error(failed.message)
      return result
    } catch (error) {
      if (error instanceof Refusal || error instanceof Misuse) throw error
      const { message, $metadata } = error as S3ServiceException
      // The server answers, and would give the same answer again.
      if ($metadata?.httpStatusCode === 403 && attempt > 1)
        throw new Outage(`${what} refuses: ${message}.`, { cause: error })
      if (isLast) throw new Outage(`${what} does not answer: ${message}`, { cause: error })
      await sleep(250 * 2 ** attempt)
    }
  }
}
