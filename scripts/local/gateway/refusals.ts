import { type IncomingHttpHeaders, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import { maxLevels } from './depth.ts'
import { thenDrain } from './streams.ts'

/** An error in the form of Plinth's errors. */
export type Refusal = { status: number; details: string; message: string; hint: string }

/** Answers with an error. If the client is still sending, the rest of its request is discarded, and its connection ends. */
export function refuse(reply: FastifyReply, { status, details, message, hint }: Refusal): FastifyReply {
  const { raw, headers } = reply.request
  const body = JSON.stringify({ code: `PT${status}`, details, message, hint })
  reply.code(status).type('application/json; charset=utf-8').header('content-length', Buffer.byteLength(body))
  return isSending(raw.complete, headers)
    ? reply.header('connection', 'close').send(thenDrain([body], raw))
    : reply.send(body)
}

function isSending(isComplete: boolean, headers: IncomingHttpHeaders): boolean {
  return !isComplete && (Number(headers['content-length']) > 0 || 'transfer-encoding' in headers)
}

/** Answers as gate.pre_request does. */
export function refuseBody(reply: FastifyReply): FastifyReply {
  const message = 'The request body is larger than 6 MiB.'
  return refuse(reply, {
    status: 413,
    details: 'request_too_large',
    message,
    hint: 'Send at most 6 MiB in one request.',
  })
}

/** Answers as app.require_depth does. */
export const tooDeep: Refusal = {
  status: 400,
  details: 'document_too_deep',
  message: `The body has more than ${maxLevels} levels of arrays and objects.`,
  hint: 'Send a document with fewer levels.',
}

/** Refuses a request that no server behind the gateway should see. */
export function invalid(message: string, hint = 'Correct the request.'): Refusal {
  return { status: 400, details: 'request_invalid', message, hint }
}

export const notUtf8 = invalid('The URL is not UTF-8.', 'Escape it as encodeURIComponent does.')

/** Answers a client whose bytes are not a valid request, such as one with both Content-Length and Transfer-Encoding. */
export function refuseUnreadable(error: Error & { code?: string; reason?: string }, socket: Socket): void {
  // Node's own field: the answer that this socket sends.
  const { _httpMessage: answer } = socket as Socket & { _httpMessage?: { headersSent: boolean } | null }
  if (socket.writable && error.code !== 'ECONNRESET' && !answer?.headersSent) {
    const reason = error.reason ?? error.message
    const isLength = /Content-Length|Transfer-Encoding/.test(reason)
    const { status, details, message, hint } =
      unreadable[error.code ?? ''] ??
      invalid(
        `The request is not valid HTTP: ${reason}.`,
        isLength ? 'Send only Content-Length, once.' : 'Correct the request.',
      )
    const body = JSON.stringify({ code: `PT${status}`, details, message, hint })
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'access-control-allow-origin: *',
      'connection: close',
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  }
  socket.destroySoon()
}

/** Other answers than 400, by the code of Node's error. */
const unreadable: Record<string, Refusal | undefined> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    details: 'request_timed_out',
    message: 'The request did not arrive in time.',
    hint: 'Send the whole request at once.',
  },
  HPE_HEADER_OVERFLOW: {
    status: 431,
    details: 'headers_too_large',
    message: 'The URL and the headers have more than 16 KiB together.',
    hint: 'Send a shorter URL, such as a filter .in() with at most 300 ids, or shorter headers.',
  },
}
