import { buffer } from 'node:stream/consumers'
import { server } from '../database.ts'
import { type Answer, xmlAnswer } from './answer.ts'
import { requireBucket } from './buckets.ts'
import { S3Error } from './s3_error.ts'
import type { S3Context, S3Request } from './s3_request.ts'
import { parseXml, type XmlElement } from './xml.ts'

const keysMax = 1000
const bodyMaxBytes = 2_097_152

/** Deletes an object. An object that does not exist counts as deleted. */
export async function deleteObject(context: S3Context, { caller, target }: S3Request): Promise<Answer> {
  const removed = await context.objects.remove(caller, target.bucket, [target.key])
  if (removed.length === 0) await requireBucket(context, server, target.bucket)
  return { status: 204, headers: {} }
}

/** Deletes up to 1,000 objects. Those that exist, but that the caller may not delete, are errors of the answer. */
export async function deleteObjects(context: S3Context, { caller, target, open }: S3Request): Promise<Answer> {
  const { bytes, length } = open()
  if (length > bodyMaxBytes) throw malformed()
  const document = await buffer(bytes)
  await requireBucket(context, server, target.bucket)
  const { keys, isQuiet } = readDelete(document)
  const removed = new Set((await context.objects.remove(caller, target.bucket, keys)).map(({ name }) => name))
  const left = keys.filter((key) => !removed.has(key))
  const kept = left.length === 0 ? left : await context.objects.findNames(server, target.bucket, left)
  const refused = new Set(kept)
  return xmlAnswer('DeleteResult', {
    Deleted: isQuiet ? [] : keys.filter((key) => !refused.has(key)).map((Key) => ({ Key })),
    Error: [...refused].map((Key) => ({ Key, Code: 'AccessDenied', Message: 'Access Denied' })),
  })
}

function readDelete(document: Buffer): { keys: string[]; isQuiet: boolean } {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(document)
  } catch {
    throw malformed()
  }
  const root = parseXml(text)
  const objects = root.children.filter(({ name }) => name === 'Object')
  const keys = objects.map((object) => textOf(object, 'Key'))
  if (root.name !== 'Delete' || keys.length === 0 || keys.length > keysMax) throw malformed()
  const isQuiet = root.children.some(({ name, text }) => name === 'Quiet' && text.trim() === 'true')
  return { keys: [...new Set(keys.map((key) => key ?? ''))], isQuiet }
}

function textOf({ children }: XmlElement, name: string): string {
  const [found, ...more] = children.filter((child) => child.name === name)
  if (!found || found.text === '' || more.length > 0) throw malformed()
  return found.text
}

function malformed(): S3Error {
  return new S3Error(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate.')
}
