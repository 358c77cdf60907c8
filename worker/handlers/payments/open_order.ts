import { z } from 'zod'
import { defineHandler, StepError } from '../../steps/define_handler.ts'
import type { PaymentContext } from './deps.ts'

/**
 * Opens an order at Paymob. The billing data comes from the database, not from the input, because inputs are kept.
 *
 * If the answer of an attempt is lost, Paymob has an order that nobody can pay, because nobody knows its checkout page. The
 * next attempt gets a reference of its own from the database, because Paymob refuses a reference that exists.
 */
export default defineHandler({
  input: z.object({ order_id: z.uuid() }),
  output: z.object({ paymob_order_id: z.int().positive(), checkout_url: z.url() }),
  async run(_input, context: PaymentContext) {
    const { deps, signal } = context
    const { reference, billing, amount_minor, currency, item, integration_ids } = await deps.orders.read(context)
    if (billing === null) {
      throw new StepError('order_closed', 'The order is already open, or has expired. Create a new order.', {
        isPermanent: true,
      })
    }
    const { paymobOrderId, checkoutUrl } = await deps.paymob.openOrder({
      reference,
      amount: amount_minor,
      currency,
      integrationIds: integration_ids,
      item,
      billing,
      signal,
    })
    return { paymob_order_id: paymobOrderId, checkout_url: checkoutUrl }
  },
})
