import { types } from 'node:util'

type Fault = { path: string; what: string; advice: string; culprit: unknown }

const levelsMax = 1000
const pathMax = 300

/**
 * Finds the first value that JSON would lose or change, such as a Map, which becomes `{}`, or NaN, which becomes null. Returns
 * a sentence with its place and an advice, or undefined if every value is fine.
 *
 * A property whose value is undefined is fine: JSON omits the property, and TypeScript reads it as an optional property.
 */
export function findUnstorable(value: unknown, name: string): string | undefined {
  return toSentence(find(value, 0, false), name)
}

/** As {@link findUnstorable}, and finds texts that jsonb cannot hold, too. */
export function findUnstorableText(value: unknown, name: string): string | undefined {
  return toSentence(find(value, 0, true), name)
}

function toSentence(fault: Fault | undefined, name: string): string | undefined {
  if (fault === undefined) return undefined
  const path = fault.path.length > pathMax ? `${fault.path.slice(0, pathMax)}…` : fault.path
  return `${name}${path} ${fault.what}. ${fault.advice}`
}

/** Every step calls this for its result, so a value without a fault allocates almost nothing. */
function find(value: unknown, level: number, hasTexts: boolean): Fault | undefined {
  switch (typeof value) {
    case 'string':
      return hasTexts ? findText(value) : undefined
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : fault(value, `is ${value}`, 'Return a finite number or null.')
    case 'object':
      break
    case 'undefined':
      return fault(value, 'is undefined', 'Return null instead.')
    case 'bigint':
      return fault(value, 'is a BigInt', 'Return a string instead.')
    default:
      return fault(value, `is a ${typeof value}`, 'Return a value that JSON has, or leave it out.')
  }
  if (value === null) return undefined
  if (level === levelsMax) return fault(value, `is nested more than ${levelsMax} levels deep`, 'Return a flat list.')
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const found = find(value[index], level + 1, hasTexts)
      if (found !== undefined) return within(found, value, `[${index}]`)
    }
    return undefined
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    const found = findInstance(value)
    if (found !== undefined) return found
  }
  const fields = value as Record<string, unknown>
  if (typeof fields['toJSON'] === 'function') return find(fields['toJSON'](''), level + 1, hasTexts)
  for (const key of Object.keys(fields)) {
    const field = fields[key]
    if (field === undefined) continue
    const found = find(field, level + 1, hasTexts) ?? (hasTexts ? findText(key) : undefined)
    if (found !== undefined) return within(found, value, `.${key.slice(0, 50)}`)
  }
  return undefined
}

/** Finds out whether an object that is not a plain one would lose data. */
function findInstance(value: object): Fault | undefined {
  if (types.isDate(value)) {
    return Number.isNaN(value.getTime())
      ? fault(value, 'is an invalid Date', 'Return a valid Date or null.')
      : undefined
  }
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) {
    return fault(value, `is of class ${nameOf(value)}`, 'Return the bytes as base64, or store them and return a URL.')
  }
  if (types.isMap(value)) return fault(value, 'is a Map', 'Return an object instead, with Object.fromEntries.')
  if (types.isSet(value)) return fault(value, 'is a Set', 'Return an array instead.')
  if (types.isPromise(value)) return fault(value, 'is a Promise', 'Await it.')
  if (types.isNativeError(value)) return fault(value, 'is an Error', 'Return its message instead.')
  // `new String('x')` is "x" in JSON.
  if (types.isBoxedPrimitive(value)) return find(value.valueOf(), 0, false)
  const hasFields = Object.keys(value).length > 0 || typeof (value as { toJSON?: unknown }).toJSON === 'function'
  // Also classes whose data is private.
  return hasFields
    ? undefined
    : fault(value, `is of class ${nameOf(value)} and has no fields`, 'Return a plain object instead.')
}

function findText(text: string): Fault | undefined {
  if (text.isWellFormed() && !text.includes('\u0000')) return undefined
  return fault(text, 'has a \\u0000 or half a surrogate pair', 'Remove it.')
}

function fault(culprit: unknown, what: string, advice: string): Fault {
  return { path: '', what, advice, culprit }
}

/** Adds the place in a container. A container that is its own culprit contains itself. */
function within(found: Fault, container: object, place: string): Fault {
  if (found.culprit === container) return fault(container, 'contains itself', 'Return it without the circle.')
  return { ...found, path: `${place}${found.path}` }
}

function nameOf(value: object): string {
  return String(value.constructor?.name || 'unknown').slice(0, 50)
}
