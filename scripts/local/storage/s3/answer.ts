import type { Readable } from 'node:stream'
import { writeXml, type XmlContent } from './xml.ts'

/** The answer to a request. A HEAD gets its headers only. */
export type Answer = {
  status: number
  headers: Record<string, string>
  body?: string | Readable
}

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** Returns an answer in XML. */
export function xmlAnswer(name: string, content: XmlContent): Answer {
  const body = writeXml(name, content, namespace)
  return {
    status: 200,
    headers: { 'content-type': 'application/xml', 'content-length': String(Buffer.byteLength(body)) },
    body,
  }
}
