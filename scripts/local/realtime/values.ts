/** How `to_jsonb` writes a type; see local_realtime.json_kind. */
export type JsonKind = string

/** The values of a row as Postgres's text; null is NULL. A TOASTed value that did not change is absent. */
export type Row = Map<string, string | null>

/** Returns a value of the kind as JSON, as `to_jsonb` would; undefined if only Postgres can write it. */
export function toJson(kind: JsonKind, text: string | null): string | undefined {
  if (text === null) return 'null'
  // As wal2json writes bytea, and numbers that JSON does not have.
  if (kind === 'bytea') return JSON.stringify(text.replace(/^\\x/, ''))
  if (kind === 'number' && !isJsonNumber(text)) return 'null'
  return write(kind, text)
}

function write(kind: JsonKind, text: string): string | undefined {
  switch (kind) {
    case 'boolean':
      return text === 't' ? 'true' : 'false'
    case 'number':
      return isJsonNumber(text) ? text : JSON.stringify(text)
    case 'json':
      return text
    case 'timestamp':
      return JSON.stringify(text.replace(' ', 'T'))
    case 'timestamptz':
      return JSON.stringify(text.replace(' ', 'T').replace(/([+-]\d\d)(?=$| BC$)/, '$1:00'))
    case 'bytea':
    case 'text':
      return JSON.stringify(text)
    case 'other':
      return undefined
    default:
      return writeArray(kind, text)
  }
}

function isJsonNumber(text: string): boolean {
  return !/[a-zA-Z]/.test(text.replace('e', ''))
}

/**
 * Writes the literal of an array, such as `{1,NULL,"a b"}` or `[0:1]={1,2}`. Returns undefined for another text, because the
 * column had another type when the row was written.
 */
function writeArray(kind: JsonKind, text: string): string | undefined {
  const delimiter = kind[1] ?? ','
  const elementKind = kind.slice(2)
  let at = text.startsWith('[') ? text.indexOf('=') + 1 : 0

  function readArray(): string | undefined {
    const parts: string[] = []
    if (text[at] !== '{') return undefined
    at++
    while (text[at] !== '}') {
      const part = text[at] === '{' ? readArray() : readElement()
      if (part === undefined || at >= text.length) return undefined
      parts.push(part)
      if (text[at] === delimiter) at++
    }
    at++
    return `[${parts.join()}]`
  }

  function readElement(): string | undefined {
    if (text[at] === '"') {
      const start = ++at
      while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
      return write(elementKind, text.slice(start, at++).replace(/\\(.)/gs, '$1'))
    }
    const start = at
    while (at < text.length && text[at] !== delimiter && text[at] !== '}') at++
    const element = text.slice(start, at)
    return element === 'NULL' ? 'null' : write(elementKind, element)
  }

  return readArray()
}
