import { createHash } from 'node:crypto'
import schema from '../../docs/drama.schema.json' with { type: 'json' }
import { isExactNumber, numberText } from './exact_json.ts'

const httpUrl = new RegExp(schema.$defs.http_url.pattern)

/**
 * Converts a `drama.json` of the old storage to the document that save_drama_complete accepts. The old storage has no published
 * format, so fields are recognized by the names that such files use, in camel case or snake case; all other fields go to `extra`.
 * UUIDs stay as ids; another id becomes a UUID, the same at every import.
 */
export function mapDrama(externalId: string, source: unknown, ownerId: string): Record<string, unknown> {
  if (!isObject(source)) throw new Error('drama.json must be a JSON object')
  const name = (path: string) => uuidOf(`${ownerId}/${externalId}/${path}`)
  const top = new Fields(source)
  top.take('id', 'drama_id')
  const found = top.list('characters', 'cast')
  const characters = found.map((one, n) => mapCharacter(one, n, name))
  const who = new Map<string, string>()
  // Ids overwrite names: a name may be the id of another character.
  for (const { called, document } of characters) if (called !== '') who.set(called, document.id)
  for (const { id, document } of characters) if (id !== undefined) who.set(id, document.id)

  const episodes = top.list('episodes')
  const loose = top.list('scenes')
  const [title, premise] = [top.text('title', 'name'), top.text('premise', 'prompt', 'idea')]
  // Without this check, every field would go to extra, and the next import would skip the drama.
  if (!title && !premise && characters.length + episodes.length + loose.length === 0) {
    throw new Error(
      'drama.json has no field of a drama: no title or premise that is a text, no characters, episodes or scenes',
    )
  }
  // Scenes without an episode get an episode of their own.
  if (loose.length > 0) episodes.push({ scenes: loose })
  return {
    id: isUuid(externalId) ? externalId.toLowerCase() : name(''),
    external_id: externalId,
    title,
    premise,
    logline: top.text('logline', 'tagline', 'synopsis', 'summary', 'description'),
    genre: top.text('genre', 'genres'),
    language: top.text('language', 'lang'),
    style: top.text('style', 'art_style', 'visual_style'),
    model: top.text('model', 'llm_model'),
    ...top.createdAt('created_at', 'created', 'creation_time', 'timestamp'),
    cover_url: top.url('cover_url', 'cover_image_url', 'cover', 'thumbnail_url', 'poster_url', 'image_url'),
    characters: characters.map(({ document }) => document),
    episodes: episodes.map((one, n) => mapEpisode(one, n, name, who)),
    extra: top.rest(),
  }
}

type Name = (path: string) => string

/** The name of a part below its parent: its id, or its place in a form that no id has. */
function nameOf(id: string | undefined, n: number): string {
  return id === undefined ? `#${n + 1}` : id.replace(/[%#/]/g, encodeURIComponent)
}

function mapCharacter(source: unknown, n: number, name: Name) {
  const fields = new Fields(isObject(source) ? source : { name: source })
  const id = fields.id('id', 'character_id')
  const called = fields.text('name', 'title')
  const document = {
    id: isUuid(id) ? id.toLowerCase() : name(`characters/${nameOf(id, n)}`),
    name: called,
    role: fields.text('role', 'archetype'),
    description: fields.text('description', 'personality', 'bio', 'backstory'),
    appearance: fields.text('appearance', 'visual_description', 'look', 'image_prompt'),
    portrait_url: fields.url('portrait_url', 'image_url', 'avatar_url', 'portrait', 'image'),
    extra: fields.rest(isUuid(id) ? undefined : id),
  }
  return { document, id, called }
}

function mapEpisode(source: unknown, n: number, name: Name, who: Map<string, string>) {
  const fields = new Fields(isObject(source) ? source : { title: source })
  const id = fields.id('id', 'episode_id')
  const path = `episodes/${nameOf(id, n)}`
  return {
    id: isUuid(id) ? id.toLowerCase() : name(path),
    title: fields.text('title', 'name'),
    summary: fields.text('summary', 'synopsis', 'description', 'logline'),
    script: fields.text('script', 'outline'),
    scenes: fields.list('scenes', 'shots').map((one, m) => mapScene(one, m, path, name, who)),
    extra: fields.rest(isUuid(id) ? undefined : id),
  }
}

function mapScene(source: unknown, n: number, path: string, name: Name, who: Map<string, string>) {
  const fields = new Fields(isObject(source) ? source : { text: source })
  const id = fields.id('id', 'scene_id')
  return {
    id: isUuid(id) ? id.toLowerCase() : name(`${path}/scenes/${nameOf(id, n)}`),
    title: fields.text('title', 'heading', 'name'),
    summary: fields.text('summary', 'description', 'action'),
    text: fields.text('text', 'content', 'dialogue', 'script', 'narration'),
    image_prompt: fields.text('image_prompt', 'visual_prompt', 'visual_description'),
    video_prompt: fields.text('video_prompt', 'motion_prompt'),
    character_ids: fields.references(who, 'character_ids', 'characters', 'cast'),
    image_url: fields.url('image_url', 'image', 'thumbnail_url'),
    video_url: fields.url('video_url', 'video'),
    audio_url: fields.url('audio_url', 'audio', 'voice_url'),
    extra: fields.rest(isUuid(id) ? undefined : id),
  }
}

/** The fields of an object. Each is read once; the others are the rest. */
class Fields {
  private readonly left: Map<string, unknown>

  constructor(source: Record<string, unknown>) {
    this.left = new Map(Object.entries(source))
  }

  /** Reads the first of these fields that exists. */
  take(...names: string[]): unknown {
    return this.find(names, (value) => value)
  }

  id(...names: string[]): string | undefined {
    return this.find(names, toId)
  }

  text(...names: string[]): string {
    return this.find(names, toText) ?? ''
  }

  url(...names: string[]): string | null {
    return this.find(names, (value) => (typeof value === 'string' && httpUrl.test(value) ? value : undefined)) ?? null
  }

  /** Reads when it was created. Returns nothing if no field has a time. */
  createdAt(...names: string[]): { created_at?: string } {
    const created_at = this.find(names, toTime)
    return created_at === undefined ? {} : { created_at }
  }

  list(...names: string[]): unknown[] {
    return (
      this.find(names, (value) =>
        // A database of Firebase writes a list that has no element 0 with null in its place.
        Array.isArray(value) ? value.filter((one) => one !== null) : isObject(value) ? listByKey(value) : undefined,
      ) ?? []
    )
  }

  /** Reads the characters of a scene, given by id or name, if all of them are known. */
  references(who: Map<string, string>, ...names: string[]): string[] {
    return (
      this.find(names, (value) => {
        if (!Array.isArray(value)) return undefined
        const ids = value.map((one) => {
          const key = isObject(one) ? (one['id'] ?? one['character_id'] ?? one['name']) : one
          return who.get(toId(key) ?? '')
        })
        return ids.every((id) => id !== undefined) ? [...new Set(ids)] : undefined
      }) ?? []
    )
  }

  /** Returns the fields that were not read, with the original id of a part if it is not a UUID. */
  rest(originalId?: string): Record<string, unknown> {
    const own = this.find(['extra'], (value) => (isObject(value) ? value : undefined))
    return { ...own, ...Object.fromEntries(this.left), ...(originalId !== undefined && { original_id: originalId }) }
  }

  private find<Value>(names: string[], read: (value: unknown) => Value | undefined): Value | undefined {
    for (const name of names) {
      for (const key of [name, name.replace(/_(\w)/g, (_match, letter: string) => letter.toUpperCase())]) {
        const value = read(this.left.get(key))
        if (value !== undefined) {
          this.left.delete(key)
          return value
        }
      }
    }
    return undefined
  }
}

/** Reads an id or a name: a text or a number. */
function toId(value: unknown): string | undefined {
  if (isExactNumber(value)) return numberText(value)
  return typeof value === 'number' || (typeof value === 'string' && value !== '') ? String(value) : undefined
}

/**
 * Reads a time in ISO 8601, which is UTC if it names no zone, in seconds or milliseconds since 1970, or as the exports of
 * Firestore (`_seconds`, `seconds`) and MongoDB (`$date`) have it.
 */
function toTime(value: unknown): string | undefined {
  if (isObject(value)) {
    const seconds = value['_seconds'] ?? value['seconds']
    if (typeof seconds === 'number' || typeof seconds === 'string') return toTime(seconds)
    const date = value['$date']
    if (isObject(date)) return toTime(date['$numberLong'])
    return date === undefined ? undefined : toTime(date)
  }
  const ms =
    typeof value === 'string' && !/^\d+$/.test(value)
      ? readIso(value)
      : typeof value === 'number' || typeof value === 'string' || isExactNumber(value)
        ? readSeconds(Number(typeof value === 'object' ? JSON.stringify(value) : value))
        : undefined
  // A year has four digits, and Postgres has no year 0.
  return ms === undefined || !(ms >= -62_135_596_800_000 && ms <= 253_402_300_799_999)
    ? undefined
    : new Date(ms).toISOString()
}

function readSeconds(value: number): number | undefined {
  if (value < 1e8) return undefined
  return value < 1e11 ? value * 1000 : value
}

function readIso(value: string): number | undefined {
  const iso = /^(\d{4}-\d\d-(\d\d))(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s?(Z|[+-]\d\d:?\d\d)?)?$/i
  const [, date, day, time = '00:00', zone = 'Z'] = iso.exec(value) ?? []
  // JavaScript reads February 30 as March 2.
  if (date === undefined || new Date(date).getUTCDate() !== Number(day)) return undefined
  return Date.parse(`${date}T${time}${zone.toUpperCase().replace(/(\d\d)(\d\d)$/, '$1:$2')}`)
}

/** Reads a text, a list of texts, or a list of lines with their speakers. */
function toText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (!Array.isArray(value) || value.length === 0) return undefined
  const lines = value.map((line) => {
    if (typeof line === 'string') return line
    if (!isObject(line) || Object.keys(line).length !== 2) return undefined
    const speaker = line['character'] ?? line['speaker'] ?? line['name']
    const said = line['line'] ?? line['text'] ?? line['content']
    return typeof speaker === 'string' && typeof said === 'string' ? `${speaker}: ${said}` : undefined
  })
  return lines.every((line) => line !== undefined) ? lines.join('\n') : undefined
}

/** Reads `{ "1": { … }, "2": { … } }` as a list. */
function listByKey(value: Record<string, unknown>): unknown[] | undefined {
  const entries = Object.entries(value)
  return entries.every(([, one]) => isObject(one))
    ? entries.map(([key, one]) => ({ id: key, ...(one as object) }))
    : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isExactNumber(value)
}

function isUuid(value: string | undefined): value is string {
  return value !== undefined && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(value)
}

/** A UUID of version 5 in our namespace. */
function uuidOf(name: string): string {
  const namespace = Buffer.from('6f1d9c5a7b3e4c0f9a2d8e5b1c7f4a60', 'hex')
  const bytes = createHash('sha1').update(namespace).update(name).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
