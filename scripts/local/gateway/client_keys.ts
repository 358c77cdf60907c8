import type { IncomingMessage } from 'node:http'
import { decodeJwt } from 'jose'
import { type LocalKeys, verifyJwt } from '../keys.ts'
import type { Refusal } from './refusals.ts'

/**
 * Checks the key of a request, as Supabase's gateway does, and prepares the request for a service: the service gets no
 * apikey, and never an opaque key. Returns the refusal of a request that may not pass.
 */
export type CheckKey = (request: IncomingMessage, needsKey: boolean) => Promise<Refusal | undefined>

const missing: Refusal = {
  status: 401,
  details: 'apikey_missing',
  message: 'The request has no apikey.',
  hint: 'Send the publishable or the anon key of the env file as header apikey.',
}

function wrong(hint: string): Refusal {
  return { status: 401, details: 'apikey_wrong', message: 'The apikey is not a key of this stack.', hint }
}

/** Says where the value belongs that was sent as apikey. */
function hintFor(key: string): string {
  if (key.startsWith('plk_'))
    return 'Send an API key of a user as header x-api-key, next to the publishable key as apikey.'
  if (isOfUser(key)) return 'Send the token of a user as authorization: Bearer, next to the publishable key as apikey.'
  return 'Send a key of the env file. npm run reset makes new keys.'
}

function isOfUser(key: string): boolean {
  try {
    return decodeJwt(key).sub !== undefined
  } catch {
    return false
  }
}

/** A key may be the header or the parameter `apikey`, either opaque or a JWT. An opaque key becomes the JWT of its role. */
export function createKeyCheck(keys: LocalKeys): CheckKey {
  const jwts = new Map([
    [keys.publishableKey, keys.anonKey],
    [keys.secretKey, keys.serviceRoleKey],
    [keys.anonKey, keys.anonKey],
    [keys.serviceRoleKey, keys.serviceRoleKey],
  ])
  async function findJwt(key: string): Promise<string | undefined> {
    return jwts.get(key) ?? ((await isRoleKey(key, keys)) ? key : undefined)
  }

  return async (request, needsKey) => {
    const { headers } = request
    const parameter = takeParameter(request)
    const key = headers['apikey']?.toString() || parameter
    delete headers['apikey']
    if (!key && needsKey) return missing
    const jwt = key ? await findJwt(key) : undefined
    if (key && jwt === undefined) return wrong(hintFor(key))

    const opaque = /^bearer\s+(sb_.*)$/i.exec(headers.authorization ?? '')?.[1]?.trim()
    if (opaque !== undefined) {
      const bearer = jwts.get(opaque)
      // As hosted: an opaque key is a bearer only if it is the key of the request.
      if (bearer === undefined || (key && opaque !== key))
        return wrong('Send an opaque key as bearer token only if it is the apikey, too.')
      headers.authorization = `Bearer ${bearer}`
    } else if (jwt !== undefined) headers.authorization ??= `Bearer ${jwt}`
    return undefined
  }
}

/** Whether a JWT is the key of a role: also one that an earlier release printed, which had another time of issue. */
async function isRoleKey(key: string, keys: LocalKeys): Promise<boolean> {
  try {
    const { role, sub } = await verifyJwt(key, keys)
    return sub === undefined && (role === 'anon' || role === 'service_role')
  } catch {
    return false
  }
}

/** Removes the parameter `apikey` from the URL, which PostgREST would read as a column, and returns its value. */
function takeParameter(request: IncomingMessage): string | undefined {
  const [path = '', query] = split(request.url ?? '')
  if (query === undefined) return undefined
  const parts = query.split('&')
  const rest = parts.filter((part) => !part.startsWith('apikey='))
  if (rest.length === parts.length) return undefined
  request.url = rest.length > 0 ? `${path}?${rest.join('&')}` : path
  return new URLSearchParams(query).get('apikey') ?? undefined
}

/** Splits a URL at its first question mark. */
function split(url: string): [path: string, query: string | undefined] {
  const at = url.indexOf('?')
  return at < 0 ? [url, undefined] : [url.slice(0, at), url.slice(at + 1)]
}
