import { createHash } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'

/** Bytes on disk, and what was learnt of them on the way. */
export type Spooled = {
  size: number
  /** Whether there were more than were asked for: then the rest was left unread, and the hash is of a part. */
  isTooLarge: boolean
  /** SHA-256, in hex. */
  hash: string
  /** The first 4,100 bytes, which tell the type. */
  head: Buffer
  open(): Readable
}

/** A file without a name: its space is free again when it is closed, or when the process ends, however that comes. */
export type Spool = {
  /** Fills it. Throws what `source` throws; a disk that fails, as a SpoolError. */
  fill(source: AsyncIterable<Buffer>, maxBytes: number): Promise<Spooled>
  close(): Promise<void>
}

/** The disk failed, or is full. */
export class SpoolError extends Error {}

const headBytes = 4100
const chunkBytes = 64 * 1024

export async function openSpool(): Promise<Spool> {
  const path = join(tmpdir(), `plinth-upload-${crypto.randomUUID()}`)
  const file = await onDisk(() => open(path, 'wx+', 0o600))
  await onDisk(() => unlink(path))
  return {
    async fill(source, maxBytes) {
      const hash = createHash('sha256')
      const head: Buffer[] = []
      let size = 0
      let isTooLarge = false
      for await (const chunk of source) {
        if (size < headBytes) head.push(Buffer.from(chunk.subarray(0, headBytes - size)))
        size += chunk.length
        isTooLarge = size > maxBytes
        if (isTooLarge) break
        hash.update(chunk)
        await onDisk(() => writeWhole(file, chunk))
      }
      return {
        size,
        isTooLarge,
        hash: hash.digest('hex'),
        head: Buffer.concat(head),
        // Not the handle's own stream: that one would keep it open.
        open: () => Readable.from(readWhole(file), { objectMode: false }),
      }
    },
    close: () => file.close(),
  }
}

async function writeWhole(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let done = 0; done < chunk.length; ) done += (await file.write(chunk, done)).bytesWritten
}

async function* readWhole(file: FileHandle): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    const { bytesRead, buffer } = await onDisk(() => file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, position))
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

async function onDisk<Result>(step: () => Promise<Result>): Promise<Result> {
  try {
    return await step()
  } catch (cause) {
    throw new SpoolError(`The upload could not be kept on disk: ${(cause as Error).message}`, { cause })
  }
}
