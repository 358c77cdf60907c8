import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { escapeHtml } from '../escape_html.ts'
import { renderShare, type ShareDescription } from './render_share.ts'

/** Where the pages get shares: as an anonymous caller of PostgREST. */
export type ShareSource = {
  postgrestPort: number
  anonKey: string
  /** The URL at which browsers load assets. A page loads pictures from nowhere else. */
  assetsUrl: string | undefined
}

/** An answer of PostgREST. */
type Answer = { status: number; body: unknown }

/**
 * Serves `/share/{id}`, a page that shows a share, because the local stack has no site for shares. The links of shares,
 * such as `/flows/detail/{id}`, lead to it. The pages have no scripts.
 */
export function serveSharePages(server: FastifyInstance, source: ShareSource): void {
  server.get<{ Params: { page: string; id: string } }>(
    '/:page(^(?:flows|cards|sessions)$)/detail/:id',
    { config: { isPage: true } },
    (request, reply) => reply.redirect(`/share/${encodeURIComponent(request.params.id)}`),
  )
  server.get<{ Params: { id: string } }>(
    '/share/:id',
    { config: { isPage: true, hasLimits: true } },
    async (request, reply) => {
      const { id } = request.params
      if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return sendGone(reply, source)
      const call = (name: string) => callFunction(source, name, id, request.ip)
      // One after the other: Postgres counts the requests that a caller has at a time.
      const described = await call('describe_share')
      const opened = described.status === 200 ? await call('get_shared_resource') : described
      if (opened.status === 404) return sendGone(reply, source)
      if (opened.status !== 200) return sendFault(reply, source, opened)
      const share = described.body as ShareDescription
      return send(reply, source, 200, share.title ?? 'Untitled', renderShare(share, opened.body))
    },
  )
}

async function callFunction(source: ShareSource, name: string, id: string, ip: string): Promise<Answer> {
  const { postgrestPort, anonKey } = source
  const headers = { authorization: `Bearer ${anonKey}`, 'x-client-address': ip }
  try {
    const answered = await fetch(`http://127.0.0.1:${postgrestPort}/rpc/${name}?share_id=${id}`, {
      headers,
      signal: AbortSignal.timeout(10_000),
    })
    return { status: answered.status, body: await answered.json() }
  } catch {
    return { status: 502, body: { message: 'The API does not answer.', hint: 'See the logs of the local stack.' } }
  }
}

function sendGone(reply: FastifyReply, source: ShareSource): FastifyReply {
  const text = '<p>The share has expired, was revoked, or never existed. Ask for a new link.</p>'
  return send(reply, source, 404, 'This share is gone', text)
}

function sendFault(reply: FastifyReply, source: ShareSource, { status, body }: Answer): FastifyReply {
  const { message, hint } = body as { message?: string; hint?: string }
  const text = [message, hint].filter(Boolean).map((line) => `<p>${escapeHtml(String(line))}</p>`)
  return send(reply, source, status, 'The share cannot be shown now', text.join('\n'))
}

const style = `body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { margin: 0 0 .25rem } h2 { font-size: 1.1rem; margin: 1.5rem 0 .25rem } .meta { color: #666 } img { max-width: 12rem; border-radius: 8px }
pre, .text { white-space: pre-wrap; overflow-wrap: anywhere; margin: .25rem 0 } pre { background: #f4f4f4; padding: .75rem; border-radius: 6px }`
const styleHash = createHash('sha256').update(style).digest('base64')

/** Sends a page that runs no script, loads only its pictures, and cannot be part of another page. */
function send(reply: FastifyReply, source: ShareSource, status: number, title: string, content: string): FastifyReply {
  const images = source.assetsUrl === undefined ? "'none'" : `${source.assetsUrl}/`
  const policy = [
    "default-src 'none'",
    `img-src ${images}`,
    `style-src 'sha256-${styleHash}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]
  return reply
    .code(status)
    .type('text/html; charset=utf-8')
    .headers({
      'content-security-policy': policy.join('; '),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    })
    .send(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${content}
</body>
</html>
`)
}
