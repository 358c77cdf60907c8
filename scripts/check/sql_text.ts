const token =
  /--[^\n]*|\/\*[\s\S]*?\*\/|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_]\w*)?\$([\s\S]*?)\$\1\$/g

/**
 * Replaces comments in SQL by blanks, and with `quotes` also strings and dollar-quoted bodies, so that a pattern finds code only.
 * Every line keeps its number.
 */
export function blank(sql: string, what: 'comments' | 'comments and quotes'): string {
  return sql.replace(token, (found: string, _tag: string | undefined, body: string | undefined) => {
    if (found.startsWith('"')) return found
    if (found.startsWith('--') || found.startsWith('/*') || what !== 'comments') return found.replace(/[^\n]/g, ' ')
    // Recursive, so that an apostrophe in the prose of a body does not reach beyond it.
    return body === undefined ? found : found.replace(body, () => blank(body, what))
  })
}

/** The line, from 1, at an offset. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}
