import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'

/**
 * Measures how long the requests of this process, by fetch and by node:http, wait for answers of a server on this machine: from
 * the moment when a request is sent as a whole until the headers of its answer arrive.
 */
export function watchWaits(port: number): { read(): number; stop(): void } {
  const sentAt = new WeakMap<object, number>()
  let waitMs = 0
  const requestOf = (message: unknown) => (message as { request: { origin: string } }).request
  const onSent = (message: unknown) => {
    const request = requestOf(message)
    if (String(request.origin) === `http://127.0.0.1:${port}`) sentAt.set(request, performance.now())
  }
  const onHeaders = (message: unknown) => {
    const from = sentAt.get(requestOf(message))
    if (from !== undefined) waitMs += performance.now() - from
  }
  const onRequest = (message: unknown) => {
    const { request } = message as { request: ClientRequest }
    if (request.getHeader('host') !== `127.0.0.1:${port}`) return
    request.once('finish', () => sentAt.set(request, performance.now()))
    request.once('response', () => {
      waitMs += performance.now() - (sentAt.get(request) ?? performance.now())
    })
  }
  subscribe('http.client.request.start', onRequest)
  subscribe('undici:request:bodySent', onSent)
  subscribe('undici:request:headers', onHeaders)
  return {
    read: () => waitMs,
    stop() {
      unsubscribe('http.client.request.start', onRequest)
      unsubscribe('undici:request:bodySent', onSent)
      unsubscribe('undici:request:headers', onHeaders)
    },
  }
}
