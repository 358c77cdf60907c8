import type pg from 'pg'

/** Reads `SHARE_BASE_URL`, the URL that links of shares begin with, or throws a sentence. */
export function readShareBaseUrl(url = process.env['SHARE_BASE_URL']): string | undefined {
  if (!url) return undefined
  // The id of a share is appended as a path, so a query or a fragment would swallow the id.
  const isUsable = /^https?:\/\/[^\s/?#]+(\/[^\s/?#]+)*$/.test(url) && Buffer.byteLength(url) <= 500
  if (!isUsable) {
    throw new Error(
      'SHARE_BASE_URL is not an http(s) URL of at most 500 bytes without a query and a final slash. ' +
        'Write it like https://example.com.',
    )
  }
  return url
}

/** Sets the URL that links of shares begin with. Returns whether the database had another one. */
export async function setShareBaseUrl(client: pg.Client, url: string): Promise<boolean> {
  const { rowCount } = await client.query('update app.settings set share_base_url = $1 where share_base_url <> $1', [
    url,
  ])
  return rowCount === 1
}
