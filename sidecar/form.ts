/** A part of a form. Bytes that are not read are skipped. */
export type Part = {
  /** Undefined: the part does not say that it belongs to a form. */
  name: string | undefined
  hasFileName: boolean
  /** Whether the file name is there and is not empty. Browsers send an empty one for a field without a chosen file. */
  isFileNamed: boolean
  contentType: string
  /** The Content-Transfer-Encoding, which the parser does not decode. Empty: the bytes are as they are. */
  encoding: string
  bytes: AsyncIterable<Buffer>
}

/** The body is not a form. */
export class FormError extends Error {}

/** The longest line of a header that is read. */
const headerBytes = 64 * 1024

/** Returns the boundary that a content type names, or undefined if the type is not that of a form or names no boundary. */
export function readBoundary(contentType: string): string | undefined {
  const [, quoted, plain] =
    /^multipart\/form-data\b.*?;\s*boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType) ?? []
  return quoted ?? plain
}

/**
 * Reads the parts of a multipart form, one after another (RFC 7578), up to the last byte of the body. Lines may end with LF
 * alone, because some programs write them so, and a header may continue in a line that begins with a space. Text before the
 * first boundary and after the last one is skipped.
 */
export async function* readForm(body: AsyncIterable<Buffer>, boundary: string): AsyncGenerator<Part> {
  const chunks = body[Symbol.asyncIterator]()
  // A line break before the first byte, because the first boundary may be at the very beginning.
  let data: Buffer = Buffer.from('\n')

  async function readMore(): Promise<void> {
    const { done, value } = await chunks.next()
    if (done) throw new FormError('it has no end')
    data = data.length > 0 ? Buffer.concat([data, value]) : value
  }

  async function readLine(): Promise<string> {
    for (;;) {
      const end = data.indexOf(0x0a)
      if (end > headerBytes || (end < 0 && data.length > headerBytes))
        throw new FormError('it has a header without end')
      if (end >= 0) {
        const line = data.toString('utf8', 0, end)
        data = data.subarray(end + 1)
        return line
      }
      await readMore()
    }
  }

  /** Yields the bytes before a delimiter. The bytes after the delimiter stay in `data`. */
  async function* readUntil(delimiter: Buffer): AsyncGenerator<Buffer> {
    for (;;) {
      const end = data.indexOf(delimiter)
      // The last bytes may be the beginning of the delimiter.
      const length = end < 0 ? Math.max(0, data.length - delimiter.length + 1) : end
      const bytes = data.subarray(0, length)
      data = data.subarray(end < 0 ? length : end + delimiter.length)
      if (length > 0) yield bytes
      if (end >= 0) return
      await readMore()
    }
  }

  // The boundary comes from a header, which Node reads as Latin-1.
  let delimiter = Buffer.from(`\n--${boundary}`, 'latin1')
  await skip(readUntil(delimiter))
  for (;;) {
    while (data.length < 2) await readMore()
    if (data.toString('latin1', 0, 2) === '--') break
    const line = await readLine()
    if (line.trim() !== '') throw new FormError('it has a boundary with other text behind it')
    const headers = new Map<string, string>()
    let last = ''
    for (let left = headerBytes; ; ) {
      const ended = await readLine()
      const header = ended.replace(/\r$/, '')
      if (header === '') {
        // The line before the bytes tells how the line of the next boundary ends.
        delimiter = Buffer.from(`${ended}\n--${boundary}`, 'latin1')
        break
      }
      left -= header.length
      if (left < 0) throw new FormError('it has a header without end')
      // A line that begins with a space continues the one before.
      if (/^[ \t]/.test(header)) {
        headers.set(last, `${headers.get(last) ?? ''} ${header.trim()}`)
        continue
      }
      const [, name = '', value = ''] = /^([^:]*):(.*)$/s.exec(header) ?? []
      last = name.trim().toLowerCase()
      headers.set(last, value.trim())
    }

    const bytes = readUntil(delimiter)
    yield {
      ...readDisposition(headers.get('content-disposition') ?? ''),
      contentType: headers.get('content-type') ?? '',
      encoding: readEncoding(headers.get('content-transfer-encoding') ?? ''),
      bytes,
    }
    await skip(bytes)
  }
  data = Buffer.alloc(0)
  await skip({ [Symbol.asyncIterator]: () => chunks })
}

/** Reads `form-data; name="file"; filename="x.png"`. */
function readDisposition(text: string): Pick<Part, 'name' | 'hasFileName' | 'isFileNamed'> {
  if (!/^form-data\s*(;|$)/i.test(text)) return { name: undefined, hasFileName: false, isFileNamed: false }
  const parameters = new Map<string, string>()
  for (const [, key = '', quoted, plain = ''] of text.matchAll(
    /;\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/gs,
  ))
    parameters.set(key.toLowerCase(), quoted?.replace(/\\(.)/gs, '$1') ?? plain)
  const fileNames = [parameters.get('filename'), parameters.get('filename*')]
  return {
    name: parameters.get('name'),
    hasFileName: fileNames.some((name) => name !== undefined),
    isFileNamed: fileNames.some((name) => name !== undefined && name !== ''),
  }
}

/** Returns an encoding that changes the bytes, or an empty text. */
function readEncoding(text: string): string {
  const encoding = text.toLowerCase()
  return encoding === 'base64' || encoding === 'quoted-printable' ? encoding : ''
}

async function skip(bytes: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of bytes);
}
