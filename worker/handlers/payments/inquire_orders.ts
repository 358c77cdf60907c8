import { z } from 'zod'
import { inParallel } from '../../shared/in_parallel.ts'
import { defineHandler, StepError } from '../../steps/define_handler.ts'
import type { PaymentContext } from './deps.ts'

const texts = z.record(z.string(), z.string())

/**
 * Asks Paymob for the transactions of orders. SQL judges them like callbacks. If Paymob does not answer for an
 * order, the output lacks this order, so that the other orders do not wait. The schedule asks again.
 */
export default defineHandler({
  input: z.object({ orders: z.array(z.object({ order_id: z.uuid(), paymob_order_id: z.int().positive() })) }),
  output: z.object({ orders: z.array(z.object({ order_id: z.uuid(), transactions: z.array(texts) })) }),
  async run({ orders }, { deps, signal }: PaymentContext) {
    const answered: { order_id: string; transactions: Record<string, string>[] }[] = []
    let fault: StepError | undefined
    await inParallel(orders, 5, signal, async ({ order_id, paymob_order_id }, either) => {
      try {
        const transactions = await deps.paymob.listTransactions({ paymobOrderId: paymob_order_id, signal: either })
        answered.push({ order_id, transactions })
      } catch (error) {
        if (either.aborted || !(error instanceof StepError)) throw error
        fault = error
      }
    })
    // Paymob has answered for no order: the engine repeats the step.
    if (fault !== undefined && answered.length === 0) throw fault
    return { orders: answered }
  },
})
