import type { IncomingMessage } from 'node:http'

/** The largest body of a request to /rest/v1: that of gate.pre_request. */
export const maxBodyBytes = 6 * 2 ** 20

/** Few larger bodies of a client are forwarded at a time: PostgREST needs up to 15 times the bytes of a body to parse it. */
const largeBodyBytes = 256 * 2 ** 10
export const largeBodiesAtOnce = 4

/** The body is larger than {@link maxBodyBytes}. */
export class BodyTooLarge extends Error {}

/** Whether the request announces a body that is too large. */
export function isAnnouncedTooLarge({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length']) > maxBodyBytes
}

/** Whether the body counts against {@link largeBodiesAtOnce}. */
export function isLarge({ headers }: IncomingMessage): boolean {
  // The gateway gathers a body of unknown length in memory.
  return Number(headers['content-length']) > largeBodyBytes || headers['transfer-encoding'] !== undefined
}

/** Whether the body has a transfer coding other than chunked, whose bytes the gateway cannot count. */
export function hasUnknownCoding({ headers }: IncomingMessage): boolean {
  const coding = headers['transfer-encoding']
  return coding !== undefined && coding.trim().toLowerCase() !== 'chunked'
}

/**
 * Reads a chunked body, and gives the request its length: PostgREST reads a whole body before gate.pre_request runs,
 * which refuses a body of unknown length. Returns undefined if the body is empty. Stops reading beyond the limit.
 */
export async function gatherBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length
    if (bytes > maxBodyBytes) throw new BodyTooLarge()
    chunks.push(chunk as Buffer)
  }
  delete request.headers['transfer-encoding']
  request.headers['content-length'] = String(bytes)
  return bytes > 0 ? Buffer.concat(chunks, bytes) : undefined
}
