import type pg from 'pg'
import { z } from 'zod'
import type { Db } from '../../shared/db.ts'
import { patiently } from '../../shared/outage.ts'
import { type Step, StepError } from '../../steps/define_handler.ts'

const order = z.object({
  order_id: z.uuid(),
  /** The name of the order at Paymob, another one for each attempt. */
  reference: z.string(),
  amount_minor: z.int().positive(),
  currency: z.string(),
  item: z.object({ name: z.string(), description: z.string() }),
  /** Null once the order is opened. */
  billing: z.object({ first_name: z.string(), last_name: z.string(), email: z.string(), phone: z.string() }).nullable(),
  integration_ids: z.array(z.int()),
})

/** The order of a step, as worker.read_order returns it. */
export type OpenOrder = z.output<typeof order>

/** The part of the worker's door that serves payments. It shows a worker only the order whose step the worker holds. */
export type OrderDoor = {
  read(step: Pick<Step, 'id' | 'fence' | 'signal'>): Promise<OpenOrder>
}

/** Creates the door: `read` waits while the database cannot be reached. */
export function createOrderDoor(db: Db): OrderDoor {
  return {
    async read({ id, fence, signal }) {
      try {
        // An outage of the database must not fail the step.
        const [row] = await patiently(signal, () =>
          db.call<{ read_order: unknown }>('worker.read_order', { step_id: id, fence }, { timeoutMs: 15_000 }),
        )
        return order.parse(row?.read_order)
      } catch (cause) {
        const isLost = ((cause as Error).cause as Partial<pg.DatabaseError> | undefined)?.detail === 'step_lost'
        if (!isLost) throw cause
        throw new StepError('step_lost', 'This step has no order, or another worker has the step now.', { cause })
      }
    },
  }
}
