import { escapeHtml } from '../escape_html.ts'
import type { ReadMail } from './mail.ts'

/** How a browser must treat the page: it runs no script, loads nothing, and is never shown in a frame. */
export const mailPageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
  refresh: '3',
}

/** Renders mails as a page that a browser loads again every 3 s. */
export function renderMailPage(mails: ReadMail[]): string {
  const articles = mails.map(
    ({ to, subject, date, text }) =>
      `<article><h2>${escapeHtml(subject)}</h2><p>to ${escapeHtml(to)}, ${escapeHtml(date)}</p><pre>${escapeHtml(text)}</pre></article>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Mail</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
article { border-top: 1px solid; padding: 0.5rem 0 } h2 { font-size: 1.2rem; margin: 0 } p { margin: 0; opacity: 0.7 } pre { white-space: pre-wrap }
</style>
</head>
<body>
<h1>Mail</h1>
<p>The mails of the local Auth server, newest first. Nothing leaves this machine.</p>
${articles.join('\n') || '<p>No mail yet.</p>'}
</body>
</html>
`
}
