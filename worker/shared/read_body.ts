export type Body = { body: AsyncIterable<Uint8Array> | null }

/** Reads a body up to a size. For a larger body, throws `tooLarge()`, or without `tooLarge` returns the beginning. */
export async function readBody({ body }: Body, maxBytes: number, tooLarge?: () => Error): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxBytes && tooLarge) throw tooLarge()
    if (bytes > maxBytes) break
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
