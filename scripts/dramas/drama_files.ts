import { addAbortSignal, type Readable } from 'node:stream'
import { GetObjectCommand, ListObjectsV2Command, type S3Client, type S3ServiceException } from '@aws-sdk/client-s3'
import { fileMaxBytes, inflate, tooLarge } from './inflate.ts'
import { Misuse, Refusal, retry } from './retry.ts'

const fileMs = 60_000

/** The files `<prefix><id>/drama.json` of a bucket. */
export type DramaFiles = {
  /** Lists the ids page by page: the names of the folders below the prefix. */
  listIds(): AsyncGenerator<string[]>
  /** Returns the text of a file. Throws a Refusal if only this file cannot be read. */
  load(id: string): Promise<string>
}

export function createDramaFiles(store: S3Client, bucket: string, prefix: string): DramaFiles {
  async function* listIds(): AsyncGenerator<string[]> {
    let ContinuationToken: string | undefined
    do {
      const page = await retry('The store', async () => {
        try {
          return await store.send(
            new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, Delimiter: '/', ContinuationToken }),
          )
        } catch (cause) {
          if ((cause as Error).name !== 'NoSuchBucket') throw cause
          throw new Misuse(`Bucket ${bucket} does not exist. Correct --bucket or S3_ENDPOINT.`, { cause })
        }
      })
      yield (page.CommonPrefixes ?? []).flatMap(({ Prefix }) =>
        Prefix === undefined ? [] : [Prefix.slice(prefix.length, -1)],
      )
      ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (ContinuationToken !== undefined)
  }

  async function load(id: string): Promise<string> {
    return retry('The store', async (isLast) => {
      // The time limits the whole file, because a store may send the file in drops.
      const inTime = AbortSignal.timeout(fileMs)
      try {
        const command = new GetObjectCommand({ Bucket: bucket, Key: `${prefix}${id}/drama.json` })
        const file = await store.send(command, { abortSignal: inTime })
        const body = file.Body as Readable | undefined
        const bytes = await read(body && addAbortSignal(inTime, body), file.ContentLength)
        return decode(await inflate(bytes, file.ContentEncoding))
      } catch (error) {
        if (error instanceof Refusal) throw error
        const { name, message, $metadata } = error as S3ServiceException
        if (name === 'NoSuchKey' || name === 'NotFound') throw new Refusal('drama.json is missing', { cause: error })
        const status = $metadata?.httpStatusCode ?? 0
        // A fault of this file if the store still lists the bucket: the next file may be readable.
        if (isLast || (status >= 400 && status < 500 && status !== 408 && status !== 429)) {
          if (!(await isListing())) throw error
          const reason = inTime.aborted
            ? `it has no end after ${fileMs / 1000} s`
            : [status || '', `${name}: ${message}`].join(' ').trim()
          throw new Refusal(`drama.json cannot be read: ${reason}`, { cause: error })
        }
        throw error
      }
    })
  }

  async function isListing(): Promise<boolean> {
    return store.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 })).then(
      () => true,
      () => false,
    )
  }

  return { listIds, load }
}

/** Reads a file and counts its bytes while reading, because an answer may name no size or a wrong size. */
async function read(body: Readable | undefined, length = 0): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = length
  if (bytes <= fileMaxBytes) {
    bytes = 0
    for await (const chunk of body ?? []) {
      bytes += chunk.length
      if (bytes > fileMaxBytes) break
      chunks.push(chunk)
    }
  }
  if (bytes > fileMaxBytes) {
    body?.destroy()
    throw tooLarge()
  }
  return Buffer.concat(chunks)
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Refusal('drama.json is not UTF-8', { cause })
  }
}
