const token =
  /--[^\n]*|\/\*[\s\S]*?\*\/|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_]\w*)?\$([\s\S]*?)\$\1\$/g

/**
 * SQL with its comments blanked out, and with `quotes` also what strings and dollar-quoted bodies hold, so that a
 * pattern finds only what is said. Every line stays where it is.
 */
export function blank(sql: string, what: 'comments' | 'comments and quotes'): string {
  return sql.replace(token, (found: string, _tag: string | undefined, body: string | undefined) => {
    if (found.startsWith('"')) return found
    if (found.startsWith('--') || found.startsWith('/*') || what !== 'comments') return found.replace(/[^\n]/g, ' ')
    // A body on its own: an apostrophe in its prose ends with it.
    return body === undefined ? found : found.replace(body, () => blank(body, what))
  })
}

/** The line, from 1, at an offset. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}
