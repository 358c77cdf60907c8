import { z } from 'zod'
import schema from '../../../docs/drama.schema.json' with { type: 'json' }
import { clip } from '../clip.ts'

// The limits of docs/drama.schema.json, which db:check compares with the domains of the database (docs/adr/0011-limits.md).

const { options, character, episode, scene, http_url, reference_list } = schema.$defs
const kinds = {
  drama: schema.properties,
  options: options.properties,
  character: character.properties,
  episode: episode.properties,
  scene: scene.properties,
}

type Kinds = typeof kinds
/** A field of a drama, or an option of its generation: `scene.title`, `options.episodes`. */
type Field = { [Kind in keyof Kinds]: `${Kind}.${keyof Kinds[Kind] & string}` }[keyof Kinds]

const definitions: Record<string, object> = schema.$defs

/** The largest length, count or number that a field may have. */
export function limitOf(field: Field): number {
  const [kind, key] = field.split('.') as [keyof Kinds, string]
  const { $ref = '' } = (kinds[kind] as Record<string, { $ref?: string }>)[key] ?? {}
  const definition: { maxLength?: number; maxItems?: number; maximum?: number } =
    definitions[$ref.replace('#/$defs/', '')] ?? {}
  const limit = definition.maxLength ?? definition.maxItems ?? definition.maximum
  if (limit === undefined) throw new Error(`docs/drama.schema.json has no limit for ${field}.`)
  return limit
}

/** A text of a model that must not be blank: an image from a blank prompt is paid for, too. Without white space around it. */
export const filled = z.string().trim().min(1)

/** Clips a model's text to the limit of its field. */
export function clipText(field: Field, text: string): string {
  return clip(text, limitOf(field))
}

/** The largest number of reference images of a step. */
export const referencesMax = reference_list.maxItems

/** The form of an http(s) URL. */
export const httpUrl = { pattern: new RegExp(http_url.pattern), maxLength: http_url.maxLength }
