import type { FastifyInstance } from 'fastify'
import type { Db } from '../../worker/shared/db.ts'
import { countLeftOut, createLineLimit } from '../../worker/shared/limit_lines.ts'
import { type Refusal, refusal } from '../problem.ts'
import { type Callback, CallbackError, isSignedBy, readCallback, tokenFields, transactionFields } from './callback.ts'
import { createRecorder, type Recorded } from './recorder.ts'

/** The options of the route for Paymob's processed callbacks. */
export type WebhookOptions = {
  db: Db
  /** The secrets that Paymob may sign with: two while a secret is rotated. */
  paymobSecrets: string[]
  /** How long a body may take. Default: 10 s. */
  bodyTimeoutMs?: number
}

/** Paymob's callbacks have about 5 KiB. */
const bodyBytesMax = 64 * 1024

/**
 * POST /api/paymob/webhook?hmac=…: Paymob's processed callback. Checks the signature, hands the callback to
 * SQL (see createRecorder) and answers 200 `{"status": …}` only after its commit. All rules about money are in SQL.
 * If the database cannot be reached, the answer is 503, and Paymob sends the callback again.
 */
export async function paymobWebhook(
  server: FastifyInstance,
  { db, paymobSecrets, bodyTimeoutMs = 10_000 }: WebhookOptions,
): Promise<void> {
  const limit = createLineLimit()
  server.addHook('onClose', async () => limit.flush())
  const recorder = createRecorder(db)
  server.removeAllContentTypeParsers()
  // Accepts every content type, because the signature decides.
  server.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: bodyBytesMax }, (_request, body, done) =>
    done(null, body),
  )

  // The server waits longer for the bodies of uploads. Without this limit, slow callbacks could occupy all its sockets.
  server.addHook('onRequest', async ({ raw }) => {
    const timer = setTimeout(() => raw.destroy(), bodyTimeoutMs)
    raw.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer))
  })

  server.post<{ Querystring: { hmac?: unknown } }>(
    '/api/paymob/webhook',
    { config: { limitsLog: true } },
    async (request) => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      const { type, signed, hints } = read(body)
      if (signed === undefined) {
        // Anybody can send such a callback, because it has no signature to check.
        limit('other type', (leftOut) =>
          request.log.info({ type, ...countLeftOut(leftOut) }, 'Callback of another type was not stored'),
        )
        return { status: 'ignored' }
      }
      const { hmac } = request.query
      const fields = type === 'TOKEN' ? tokenFields : transactionFields
      if (!isSignedBy(paymobSecrets, fields, signed, hmac)) throw unsigned()
      // A card can be charged by its token, so the token is not stored.
      const { token: _token, ...stored } = signed
      const text = type === 'TOKEN' ? JSON.stringify({ type, obj: stored }) : body.toString()
      const { payment_id, status, reason } = await record({ type, hmac, body: text, signed: stored, hints })
      // The database has every callback. A customer can repeat the one of their own payment.
      limit(`recorded ${status} ${reason}`, (leftOut) =>
        request.log.info(
          { payment_id, payment_status: status, reason, ...countLeftOut(leftOut) },
          'Callback was recorded',
        ),
      )
      return { status }
    },
  )

  async function record(callback: Record<string, unknown>): Promise<Recorded> {
    try {
      return await recorder(callback)
    } catch (cause) {
      // The function accepts every callback. So each failure is one of the database, and Paymob has to send it again.
      const message = 'The callback could not be stored.'
      throw refusal(503, 'database_unavailable', message, 'Send the callback again.', { retryAfter: 5, cause })
    }
  }
}

function read(body: Buffer): Callback {
  try {
    return readCallback(body)
  } catch (cause) {
    if (!(cause instanceof CallbackError)) throw cause
    throw refusal(400, 'callback_invalid', `The callback ${cause.message}.`, 'Send the callback as Paymob does.', {
      cause,
    })
  }
}

/** Does not say which part of the signature is wrong, because a forger would learn from it. */
function unsigned(): Refusal {
  return refusal(401, 'callback_unsigned', 'The callback is not signed by Paymob.', 'Only Paymob calls this route.')
}
