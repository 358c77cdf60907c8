import { createHash } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'

/** Bytes on disk, with the facts that were collected while they were written. */
export type Spooled = {
  size: number
  /** Whether there were more bytes than allowed. If so, the rest was not read and the hash is incomplete. */
  isTooLarge: boolean
  /** SHA-256, in hex. */
  hash: string
  /** The first 4,100 bytes, which identify the file type. */
  head: Buffer
  open(): Readable
  /** Returns the bytes at a position: fewer than `length` at the end of the file. */
  read(position: number, length: number): Promise<Buffer>
}

/** A file without a name, so its disk space is freed when it is closed or when the process ends in any way. */
export type Spool = {
  /** Writes `source` to the file, in place of what it had. Throws what `source` throws, and a SpoolError when the disk fails. */
  fill(source: AsyncIterable<Buffer>, maxBytes: number): Promise<Spooled>
  close(): Promise<void>
}

/** The disk failed or is full. */
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
      await onDisk(() => file.truncate(0))
      for await (const chunk of source) {
        if (size < headBytes) head.push(Buffer.from(chunk.subarray(0, headBytes - size)))
        const position = size
        size += chunk.length
        isTooLarge = size > maxBytes
        if (isTooLarge) break
        hash.update(chunk)
        await onDisk(() => writeWhole(file, chunk, position))
      }
      return {
        size,
        isTooLarge,
        hash: hash.digest('hex'),
        head: Buffer.concat(head),
        // Not the stream of the handle, because that would keep the handle open.
        open: () => Readable.from(readWhole(file), { objectMode: false }),
        read: async (position, length) => {
          const { bytesRead, buffer } = await onDisk(() => file.read(Buffer.allocUnsafe(length), 0, length, position))
          return buffer.subarray(0, bytesRead)
        },
      }
    },
    close: () => file.close(),
  }
}

async function writeWhole(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let done = 0; done < chunk.length; )
    done += (await file.write(chunk, done, chunk.length - done, position + done)).bytesWritten
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
    throw new SpoolError(`The upload could not be written to disk: ${(cause as Error).message}`, { cause })
  }
}
