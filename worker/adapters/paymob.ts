import { z } from 'zod'
import { StepError } from '../outcomes/outcome.ts'
import { readBody } from '../shared/read_body.ts'
import { TimeoutError, within } from '../shared/within.ts'

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be a URL like https://accept.paymob.com' })

/** The part of the worker's environment that says where Paymob is. */
export const paymobVariables = {
  /** Opens orders. Optional: without it, steps that open orders fail and everything else runs. */
  PAYMOB_SECRET_KEY: z.string().min(1, 'is empty').optional(),
  /** Part of the checkout URL, which customers see. */
  PAYMOB_PUBLIC_KEY: z.string().min(1, 'is empty').optional(),
  /** Asks for transactions. Paymob accepts no other key for inquiries. */
  PAYMOB_API_KEY: z.string().min(1, 'is empty').optional(),
  PAYMOB_BASE_URL: httpUrl.default('https://accept.paymob.com'),
  /** The URL of the sidecar's POST /api/paymob/webhook. By default, the one in Paymob's dashboard. */
  PAYMOB_NOTIFICATION_URL: httpUrl.optional(),
  /** The URL of the sidecar's GET /api/paymob/return. By default, the one in Paymob's dashboard. */
  PAYMOB_REDIRECTION_URL: httpUrl.optional(),
}

const environment = z.object(paymobVariables)

/** The variables of Paymob after their check. */
export type PaymobConfig = z.output<typeof environment>

/** The data of a customer that Paymob demands. */
export type Billing = { first_name: string; last_name: string; email: string; phone: string }

/** The fields of a transaction that SQL judges, as texts: exactly the values that Paymob's callback would have. */
export type Transaction = Record<string, string>

/**
 * Paymob. Each call ends within 20 s. A failure is a StepError with a reason for people, permanent where another attempt
 * would fail, too. An aborted call throws the signal's reason. Errors and logs have neither keys nor billing data.
 */
export type Paymob = {
  /**
   * Opens an order at Paymob with the intention API, and returns Paymob's id of it and the page where the customer pays.
   * `amount` is in minor units. `reference` comes back as `merchant_order_id`; Paymob refuses a reference that exists.
   */
  openOrder(request: {
    reference: string
    amount: number
    currency: string
    integrationIds: number[]
    item: { name: string; description: string }
    billing: Billing
    signal: AbortSignal
  }): Promise<{ paymobOrderId: number; checkoutUrl: string }>
  /** Lists the transactions of an order, by Paymob's id of it. Empty if Paymob knows none. */
  listTransactions(request: { paymobOrderId: number; signal: AbortSignal }): Promise<Transaction[]>
}

const timeoutMs = 20_000
const answerMaxBytes = 2 ** 20

const intention = z.object({
  intention_order_id: z.union([z.int().positive(), z.string().regex(/^[1-9]\d{0,15}$/)]).transform(Number),
  client_secret: z.string().min(1).max(1000),
})
const authToken = z.object({ token: z.string().min(1).max(4000) })

/** Creates the client of Paymob's API. Without a key, each call that needs this key fails with a StepError. */
export function createPaymob(config: PaymobConfig): Paymob {
  const root = config.PAYMOB_BASE_URL.replace(/\/+$/, '')
  const keys = [config.PAYMOB_SECRET_KEY, config.PAYMOB_API_KEY].filter((key) => key !== undefined)

  async function post(path: string, body: object, signal: AbortSignal, headers: Record<string, string> = {}) {
    try {
      return await within(timeoutMs, signal, async (abortSignal) => {
        const response = await fetch(`${root}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(body),
          // Another host would get the key.
          redirect: 'error',
          signal: abortSignal,
        })
        const bytes = await readBody(response, answerMaxBytes, () => unreadable())
        return { status: response.status, text: bytes.toString() }
      })
    } catch (cause) {
      if (signal.aborted) throw signal.reason
      if (cause instanceof StepError) throw cause
      if (cause instanceof TimeoutError) {
        throw new StepError('provider_timed_out', `Paymob gave no answer within ${timeoutMs / 1000} s.`, { cause })
      }
      throw new StepError('provider_unreachable', 'Paymob cannot be reached. Try again later.', { cause })
    }
  }

  /** Paymob's words, which may repeat the request: without keys, and for the log only. */
  function refusedWith(status: number, text: string): Error {
    const said = keys.reduce((rest, key) => rest.replaceAll(key, '…'), text)
    return new Error(`Paymob answered ${status}: ${said.slice(0, 2000)}`)
  }

  /** Explains a refusal. `fields` are the fields of the request that the customer has filled in. */
  function explain({ status, text }: { status: number; text: string }, fields: string[] = []): StepError {
    const cause = refusedWith(status, text)
    if (status === 429) {
      return new StepError('provider_busy', 'Paymob accepts no more requests at the moment.', {
        cause,
        retryInMs: 5000,
        retryGrows: true,
      })
    }
    if (status === 408 || status === 409 || status === 425 || status >= 500) {
      return new StepError('provider_unavailable', `Paymob does not answer at the moment (${status}).`, { cause })
    }
    if (status === 401 || status === 403) {
      const message = 'Paymob refuses the key of this server. Tell the operator.'
      return new StepError('provider_key_refused', message, { cause, isPermanent: true })
    }
    const wrong = fields.filter((field) => text.includes(`"${field}"`))
    const message =
      status === 400 && wrong.length > 0
        ? `Paymob refuses ${wrong.join(', ')}. Create the order again with corrected billing data.`
        : `Paymob refuses the order (${status}). Tell the operator.`
    return new StepError('provider_refused', message, { cause, isPermanent: true })
  }

  return {
    async openOrder({ reference, amount, currency, integrationIds, item, billing, signal }) {
      const { PAYMOB_SECRET_KEY: secretKey, PAYMOB_PUBLIC_KEY: publicKey } = config
      if (secretKey === undefined || publicKey === undefined) throw missing('PAYMOB_SECRET_KEY and PAYMOB_PUBLIC_KEY')
      const { phone, ...names } = billing
      const answer = await post(
        '/v1/intention/',
        {
          amount,
          currency,
          payment_methods: integrationIds,
          items: [{ name: item.name, amount, description: item.description, quantity: 1 }],
          billing_data: { ...names, phone_number: phone },
          special_reference: reference,
          ...(config.PAYMOB_NOTIFICATION_URL && { notification_url: config.PAYMOB_NOTIFICATION_URL }),
          ...(config.PAYMOB_REDIRECTION_URL && { redirection_url: config.PAYMOB_REDIRECTION_URL }),
        },
        signal,
        { authorization: `Token ${secretKey}` },
      )
      if (answer.status >= 300) throw explain(answer, ['first_name', 'last_name', 'email', 'phone_number'])
      const opened = intention.safeParse(readJson(answer.text))
      if (!opened.success) throw unreadable(opened.error)
      const query = new URLSearchParams({ publicKey, clientSecret: opened.data.client_secret })
      return {
        paymobOrderId: opened.data.intention_order_id,
        checkoutUrl: `${root}/unifiedcheckout/?${query}`,
      }
    },

    async listTransactions({ paymobOrderId, signal }) {
      const { PAYMOB_API_KEY: apiKey } = config
      if (apiKey === undefined) throw missing('PAYMOB_API_KEY')
      const signedIn = await post('/api/auth/tokens', { api_key: apiKey }, signal)
      if (signedIn.status >= 300) throw explain(signedIn)
      const token = authToken.safeParse(readJson(signedIn.text))
      if (!token.success) throw unreadable(token.error)
      const { token: auth_token } = token.data
      const answer = await post(
        '/api/ecommerce/orders/transaction_inquiry',
        { auth_token, order_id: paymobOrderId },
        signal,
        { authorization: `Bearer ${auth_token}` },
      )
      // The order has no transaction yet.
      if (answer.status === 404) return []
      if (answer.status >= 300) throw explain(answer)
      return listIn(readJson(answer.text)).map(flatten)
    },
  }
}

/** The answer is a transaction, a list of them, or an object that has a list. */
function listIn(answer: unknown): Record<string, unknown>[] {
  const lists = [answer, (answer as { transactions?: unknown } | null)?.transactions]
  const list = lists.find((one) => Array.isArray(one)) ?? [answer]
  const found = (list as unknown[]).filter(isTransaction)
  // An object without any transaction, such as {"detail": "Not found."}, is not an empty list.
  if (found.length === 0 && !lists.some((one) => Array.isArray(one))) throw unreadable()
  return found
}

function isTransaction(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && 'id' in value && 'success' in value
}

/** Makes { "order.id": "1", success: "true", … } of a transaction; null and absent fields are empty, as in a callback. */
function flatten(transaction: Record<string, unknown>): Transaction {
  const flat: Transaction = {}
  for (const [name, value] of Object.entries(transaction)) {
    const isNested = ['order', 'source_data', 'data'].includes(name) && typeof value === 'object' && value !== null
    if (isNested) {
      for (const [inner, text] of Object.entries(value)) put(`${name}.${inner}`, text)
    } else put(name, value)
  }
  // Some answers have only the id of the order.
  if (flat['order.id'] === undefined && flat['order'] !== undefined) flat['order.id'] = flat['order']
  return flat

  function put(name: string, value: unknown): void {
    if (!kept.has(name) || (typeof value === 'object' && value !== null)) return
    const text = value === null || value === undefined ? '' : String(value)
    flat[name] = text.replaceAll('\0', '').toWellFormed().slice(0, 200).toWellFormed()
  }
}

/**
 * The signed fields of a callback, and the unsigned ones that tell a refund and its amount. Without the digits of the card:
 * a deleted user's answers stay in the output of a job for a while.
 */
const kept = new Set([
  ...['amount_cents', 'created_at', 'currency', 'error_occured', 'has_parent_transaction', 'id', 'integration_id'],
  ...[
    'is_3d_secure',
    'is_auth',
    'is_capture',
    'is_refunded',
    'is_standalone_payment',
    'is_voided',
    'order',
    'order.id',
  ],
  ...['owner', 'pending', 'source_data.sub_type', 'source_data.type', 'success'],
  ...['order.merchant_order_id', 'is_refund', 'is_void', 'refunded_amount_cents', 'parent_transaction'],
])

function missing(variables: string): StepError {
  const message = `This server has no account at Paymob. The operator must set ${variables}.`
  return new StepError('provider_not_configured', message, { isPermanent: true })
}

function unreadable(cause?: unknown): StepError {
  return new StepError('provider_answer_invalid', 'The answer of Paymob cannot be read.', { cause })
}

/** Digits stay digits: an id above 2^53 would be another id as a number. */
function readJson(text: string): unknown {
  const keepDigits = (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) ? context?.source : value
  try {
    return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown)
  } catch (cause) {
    throw unreadable(cause)
  }
}
