import type pg from 'pg'
import { z } from 'zod'
import type { Db } from '../../shared/db.ts'
import { patiently } from '../../shared/outage.ts'
import { type Step, StepError } from '../../steps/define_handler.ts'

const generation = z.object({
  generation_id: z.uuid(),
  model: z.string(),
  prompt: z.string(),
  /** The JSON Schema of an analysis. */
  result_schema: z.record(z.string(), z.unknown()).nullable(),
  original: z.object({ path: z.string(), etag: z.string(), size: z.number() }),
  /** Where this attempt stores its image, without an extension. The next attempt has another target. */
  target: z.string(),
})

/** The generation of a step, as worker.read_generation returns it. */
export type OpenGeneration = z.output<typeof generation>

/** The part of the worker's door that serves generations. It shows a worker only the generation whose step the worker holds. */
export type GenerationDoor = {
  /** Reads the generation of a step. The database first stores the target, so each stored image has a row. */
  read(step: Pick<Step, 'id' | 'fence' | 'signal'>): Promise<OpenGeneration>
}

/** Creates the door: `read` waits while the database cannot be reached. */
export function createGenerationDoor(db: Db): GenerationDoor {
  return {
    async read({ id, fence, signal }) {
      try {
        // An outage of the database must not fail the step.
        const [row] = await patiently(signal, () =>
          db.call<{ read_generation: unknown }>(
            'worker.read_generation',
            { step_id: id, fence },
            { timeoutMs: 15_000 },
          ),
        )
        return generation.parse(row?.read_generation)
      } catch (cause) {
        const isLost = ((cause as Error).cause as Partial<pg.DatabaseError> | undefined)?.detail === 'step_lost'
        if (!isLost) throw cause
        throw new StepError('step_lost', 'This step has no generation, or another worker has the step now.', { cause })
      }
    },
  }
}
