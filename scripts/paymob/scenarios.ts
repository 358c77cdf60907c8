import { randomBytes } from 'node:crypto'
import {
  makeTransaction,
  nextId,
  type PaymobOrder,
  type PaymobTransaction,
  sendCallback,
  signToken,
  signTransaction,
} from '../local/paymob/callbacks.ts'

/** Where a scenario sends its callbacks, and the order that they are about. */
export type Scene = {
  webhookUrl: string
  secret: string
  order: PaymobOrder
  /** Orders the same again and opens the order, for a renewal. */
  orderAgain(): Promise<PaymobOrder>
  say(line: string): void
}

/** The callbacks of each scenario. Each scenario begins with an opened order that is not paid. */
export const scenarios = {
  paid: (scene) => send(scene, makeTransaction(scene.order)),
  declined: (scene) => send(scene, declined(scene.order)),
  declined_then_paid: async (scene) => {
    await send(scene, declined(scene.order))
    await send(scene, makeTransaction(scene.order))
  },
  pending: (scene) => send(scene, makeTransaction(scene.order, { pending: true, success: false })),
  duplicate: async (scene) => {
    const paid = makeTransaction(scene.order)
    for (let times = 0; times < 3; times++) await send(scene, paid)
  },
  reordered: async (scene) => {
    const paid = makeTransaction(scene.order)
    await send(scene, refund(paid, scene.order))
    await send(scene, paid)
    await send(scene, declined(scene.order))
  },
  forged: async (scene) => {
    const paid = makeTransaction(scene.order)
    await send(scene, paid, randomBytes(64).toString('hex'))
    await send(scene, { ...paid, amount_cents: paid.amount_cents + 1 }, signTransaction(paid, scene.secret))
  },
  shifted: async (scene) => {
    const paid = makeTransaction(scene.order)
    const hmac = signTransaction(paid, scene.secret)
    const [first = '', ...rest] = String(paid.integration_id)
    const shifted = { ...paid, id: Number(`${paid.id}${first}`), integration_id: Number(rest.join('')) }
    await send(scene, shifted, hmac)
    const other = { ...paid.order, merchant_order_id: crypto.randomUUID() }
    await send(scene, { ...paid, order: other }, hmac)
  },
  refund: async (scene) => {
    const paid = makeTransaction(scene.order)
    await send(scene, paid)
    await send(scene, refund(paid, scene.order))
  },
  part_refund: async (scene) => {
    const paid = makeTransaction(scene.order)
    const third = Math.floor(scene.order.amount / 3)
    await send(scene, paid)
    await send(scene, refund(paid, scene.order, third))
    await send(scene, refund(paid, scene.order, third))
  },
  void: async (scene) => {
    const paid = makeTransaction(scene.order)
    await send(scene, paid)
    await send(scene, child(paid, scene.order, { is_void: true }))
  },
  renewal: async (scene) => {
    await send(scene, makeTransaction(scene.order))
    const again = await scene.orderAgain()
    await send({ ...scene, order: again }, makeTransaction(again))
  },
  token: async (scene) => {
    const obj = {
      id: nextId(),
      token: randomBytes(28).toString('hex'),
      masked_pan: 'xxxx-xxxx-xxxx-2346',
      merchant_id: scene.order.owner,
      card_subtype: 'MasterCard',
      created_at: new Date().toISOString(),
      email: 'ana@example.com',
      order_id: String(scene.order.id),
    }
    const response = await fetch(`${scene.webhookUrl}?hmac=${signToken(obj, scene.secret)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'TOKEN', obj }),
    })
    scene.say(`TOKEN: ${response.status} ${await response.text()}`)
  },
} satisfies Record<string, (scene: Scene) => Promise<void>>

export type ScenarioName = keyof typeof scenarios

const declined = (order: PaymobOrder) =>
  makeTransaction(order, { success: false, data: { message: 'Declined', txn_response_code: 'DECLINED' } })

const child = (paid: PaymobTransaction, order: PaymobOrder, change: Partial<PaymobTransaction>) =>
  makeTransaction(order, { has_parent_transaction: true, parent_transaction: paid.id, ...change })

const refund = (paid: PaymobTransaction, order: PaymobOrder, amount_cents = order.amount) =>
  child(paid, order, { is_refund: true, amount_cents })

async function send(scene: Scene, transaction: PaymobTransaction, hmac?: string): Promise<void> {
  const { status, body } = await sendCallback(scene.webhookUrl, transaction, scene.secret, hmac)
  const { amount_cents, success, pending, is_refund, is_void } = transaction
  const what = is_refund ? 'refund' : is_void ? 'void' : pending ? 'pending' : success ? 'payment' : 'declined'
  scene.say(`${what} of ${(amount_cents / 100).toFixed(2)}: ${status} ${JSON.stringify(body)}`)
}
