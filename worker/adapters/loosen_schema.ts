/** Keywords that multiply the states of a schema: exact lengths, patterns and lists of names. */
const strict = new Set([
  'minItems',
  'maxItems',
  'uniqueItems',
  'minLength',
  'maxLength',
  'pattern',
  'format',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minProperties',
  'maxProperties',
  'propertyNames',
])

/**
 * Returns a JSON Schema with the same objects, arrays and types, but without lengths, ranges and lists of values: a value of an
 * `enum` or `const` is only a value of the same type. Gemini refuses schemas that have too many states; the caller checks the
 * answer against its own schema.
 */
export function loosenSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(loosenSchema)
  if (typeof schema !== 'object' || schema === null) return schema
  const loose: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(schema)) {
    if (strict.has(key)) continue
    if (key === 'properties' || key === '$defs') {
      // The keys are names here, not keywords.
      loose[key] = Object.fromEntries(Object.entries(value as object).map(([name, one]) => [name, loosenSchema(one)]))
    } else if (key === 'enum' || key === 'const') {
      if (!('type' in schema)) loose['type'] = typeOf(key === 'enum' ? (value as unknown[])[0] : value)
    } else if (key === 'required') loose[key] = value
    else loose[key] = loosenSchema(value)
  }
  return loose
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'number' || typeof value === 'boolean' ? typeof value : 'string'
}
