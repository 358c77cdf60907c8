import inquireOrders from './inquire_orders.ts'
import openOrder from './open_order.ts'

/** The handlers of payments, by job type. */
export const paymentHandlers = {
  open_order: openOrder,
  inquire_orders: inquireOrders,
}
