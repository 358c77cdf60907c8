import type { Paymob } from '../../adapters/paymob.ts'
import type { StepContext } from '../../steps/define_handler.ts'
import type { OrderDoor } from './door.ts'

/** The services that the handlers of payments need. */
export type PaymentDeps = {
  paymob: Paymob
  /** The orders in the database. */
  orders: OrderDoor
}

/** The second argument of the handlers of payments. */
export type PaymentContext = StepContext<PaymentDeps>
