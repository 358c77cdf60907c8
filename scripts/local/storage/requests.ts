import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { verifyJwt } from '../keys.ts'
import type { Caller } from './database.ts'
import { accessDenied, invalidRequest, tooLarge } from './errors.ts'
import type { SigningKeys } from './tokens.ts'

/** The most bytes of a JSON body, as in Storage. */
const jsonBytes = 2 ** 20

/** Returns who sends a request; refuses one without a valid token. */
export async function readCaller(request: FastifyRequest, keys: SigningKeys): Promise<Caller> {
  const { authorization } = request.headers
  if (!authorization) throw invalidRequest("headers must have required property 'authorization'")
  const token = authorization.replace(/^Bearer\s+/i, '')
  const claims = await verifyJwt(token, keys).catch((cause: Error) => {
    throw accessDenied(cause.message)
  })
  // A token without a role has no rights, as in PostgREST.
  const role = claims['role'] ?? 'anon'
  if (role !== 'anon' && role !== 'authenticated' && role !== 'service_role')
    throw accessDenied(`The role "${String(role)}" may not use Storage.`)
  return { role, claims }
}

/** Returns who sends a request, or undefined if no valid token says so. */
export async function readCallerIfAny(request: FastifyRequest, keys: SigningKeys): Promise<Caller | undefined> {
  return readCaller(request, keys).catch(() => undefined)
}

/** Reads and checks a JSON body. */
export async function readJson<Schema extends z.ZodType>(
  request: FastifyRequest,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const body = (await readBody(request.raw)).toString('utf8')
  // Postgres cannot store this character.
  if (body.includes('\\u0000')) throw invalidRequest('The body has the character U+0000.')
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    throw invalidRequest('The body is not valid JSON.')
  }
  return check(schema, json, 'body')
}

/** Checks a value that a client sent. */
export function check<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.infer<Schema> {
  const { data, error } = schema.safeParse(value)
  if (!error) return data
  const [issue] = error.issues
  throw invalidRequest(`${[what, ...(issue?.path ?? [])].join('/')}: ${issue?.message}`)
}

async function readBody(raw: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of raw as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > jsonBytes) throw tooLarge('body')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Reads the metadata that a client sends in base64. As in Storage, metadata that is not JSON is ignored. */
export function readUserMetadata(header: string | string[] | undefined): Record<string, unknown> | undefined {
  return typeof header === 'string' ? parseUserMetadata(Buffer.from(header, 'base64').toString('utf8')) : undefined
}

/** Parses metadata of a client. Returns undefined for anything but a JSON object, and for text that Postgres cannot store. */
export function parseUserMetadata(text: string): Record<string, unknown> | undefined {
  try {
    const metadata: unknown = JSON.parse(text)
    // Postgres cannot store this character.
    if (text.includes('\\u0000')) return undefined
    return typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata)
      ? (metadata as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
