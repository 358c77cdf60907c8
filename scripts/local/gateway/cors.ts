import type { IncomingHttpHeaders } from 'node:http'

/** The headers that clients read: of PostgREST, of lists of users of Auth, and of files of Storage. */
const exposed = [
  'Content-Range',
  'Content-Location',
  'Location',
  'Retry-After',
  'ETag',
  'Link',
  'X-Total-Count',
  'X-Supabase-Api-Version',
  'Accept-Ranges',
  'Content-Disposition',
].join(',')

/** The headers that let a page of any origin send a request and read its answer. */
export function corsHeaders({ headers }: { headers: IncomingHttpHeaders }): Record<string, string> {
  return {
    'access-control-allow-origin': headers.origin ?? '*',
    'access-control-allow-methods': 'GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS',
    'access-control-allow-headers': headers['access-control-request-headers'] ?? '*',
    'access-control-expose-headers': exposed,
    'access-control-max-age': '3600',
  }
}
