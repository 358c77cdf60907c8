/** A message of a Phoenix channel. */
export type Frame = {
  /** The ref of the join to which the message belongs. */
  joinRef: string | null
  ref: string | null
  topic: string
  event: string
  payload: Record<string, unknown>
}

/** The serializers of Phoenix: version 1 sends objects, version 2 arrays. realtime-js sends version 2 by default. */
export type Version = 1 | 2

/** Reads the parameter `vsn` of the socket's URL; undefined if it names no version that we speak. */
export function readVersion(vsn: string | null): Version | undefined {
  if (vsn === null || /^1\.0\.\d+$/.test(vsn)) return 1
  return /^2\.0\.\d+$/.test(vsn) ? 2 : undefined
}

/** Decodes a message of a client; undefined if it is malformed. */
export function decodeFrame(version: Version, data: Buffer, isBinary: boolean): Frame | undefined {
  if (isBinary) return version === 2 ? decodePush(data) : undefined
  let message: unknown
  try {
    message = JSON.parse(data.toString('utf8'))
  } catch {
    return undefined
  }
  if (version === 1) {
    if (!isObject(message)) return undefined
    const { join_ref, ref, topic, event, payload } = message
    return makeFrame(join_ref, ref, topic, event, payload)
  }
  if (!Array.isArray(message) || message.length !== 5) return undefined
  const [joinRef, ref, topic, event, payload] = message
  return makeFrame(joinRef, ref, topic, event, payload)
}

function makeFrame(
  joinRef: unknown,
  ref: unknown,
  topic: unknown,
  event: unknown,
  payload: unknown,
): Frame | undefined {
  if (typeof topic !== 'string' || typeof event !== 'string') return undefined
  return { joinRef: asRef(joinRef), ref: asRef(ref), topic, event, payload: isObject(payload) ? payload : {} }
}

function asRef(ref: unknown): string | null {
  return typeof ref === 'string' || typeof ref === 'number' ? String(ref) : null
}

/** The kinds of binary messages that clients send: Phoenix's push, and the push of a broadcast by realtime-js. */
const pushKind = 0
const broadcastKind = 3

/** Decodes the head of a binary message. Its payload is not needed, because only broadcasts are binary. */
function decodePush(data: Buffer): Frame | undefined {
  const kind = data[0]
  const isBroadcast = kind === broadcastKind
  if (!isBroadcast && kind !== pushKind) return undefined
  // Lengths of join ref, ref, topic and event. A broadcast also has those of its metadata and its encoding.
  const lengths = [data[1], data[2], data[3], data[4]]
  let at = isBroadcast ? 7 : 5
  if (data.length < at) return undefined
  const [joinRef = '', ref = '', topic = '', event = ''] = lengths.map((length = 0) => {
    at += length
    return data.toString('utf8', at - length, at)
  })
  if (data.length < at) return undefined
  return { joinRef: joinRef || null, ref: ref || null, topic, event: isBroadcast ? 'broadcast' : event, payload: {} }
}

/** Encodes a message for a client. */
export function encodeFrame(version: Version, { joinRef, ref, topic, event, payload }: Frame): string {
  return version === 1
    ? JSON.stringify({ topic, event, payload, ref })
    : JSON.stringify([joinRef, ref, topic, event, payload])
}

/** Encodes a change, whose data are JSON already. */
export function encodeChange(version: Version, topic: string, ids: number[], data: string): string {
  const payload = `{"ids":[${ids.join()}],"data":${data}}`
  return version === 1
    ? `{"topic":${JSON.stringify(topic)},"event":"postgres_changes","payload":${payload},"ref":null}`
    : `[null,null,${JSON.stringify(topic)},"postgres_changes",${payload}]`
}

/** Tells an object from null and from a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
