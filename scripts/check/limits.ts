import type pg from 'pg'
import { z } from 'zod'
import schema from '../../docs/drama.schema.json' with { type: 'json' }
import { dramaDocuments } from '../../worker/handlers/dramas/drama_documents.ts'
import { count, type Outcome } from './outcome.ts'

// A limit of a drama stands once in SQL, in the check of a domain (docs/adr/0011-limits.md). docs/drama.schema.json repeats it for
// readers and for the worker's handlers, and this check proves that both say the same. Domains of tasks have names that begin
// with task_, and do not belong to dramas.

/** A domain of schema app, with its check as Postgres prints it. */
export type Domain = { name: string; check: string; limit: number | null }

/** A JSON Schema, as far as this check reads it. */
export type JsonSchema = {
  type?: string | string[]
  description?: string
  $ref?: string
  readOnly?: boolean
  format?: string
  pattern?: string
  minLength?: number
  maxLength?: number
  maxItems?: number
  minimum?: number
  maximum?: number
  items?: JsonSchema
  properties?: Record<string, JsonSchema>
  $defs?: Record<string, JsonSchema>
}

/** The limits as the database has them. */
export type Limits = {
  domains: Domain[]
  /** Which domain, or other form, a field of a drama has. */
  fields: { kind: string; key: string; form: string }[]
  /** Which domain an option of generate_drama has. */
  options: { key: string; domain: string | null }[]
  /** Which domain the check of a column casts to. */
  columns: { table: string; column: string; domain: string }[]
  /** The comment on public.generate_drama. */
  comment: string
}

const tables: Record<string, string> = {
  dramas: 'drama',
  drama_extras: 'drama',
  drama_characters: 'character',
  episodes: 'episode',
  episode_details: 'episode',
  scenes: 'scene',
  scene_details: 'scene',
}

/** Where the domains of whole documents, which JSON Schema has no keyword for, stand in the schema's description. */
const wholes: Record<string, (limit: number) => string> = {
  drama_document: (limit) => `${limit / 2 ** 20} MiB`,
  scene_total: (limit) => `${limit.toLocaleString('en')} scenes`,
}

export async function checkLimits(client: pg.Client): Promise<Outcome> {
  const limits = await readLimits(client)
  const document = schema as JsonSchema
  return {
    said: `${count(limits.domains.length, 'domain')}, against docs/drama.schema.json, ${count(limits.columns.length, 'column')} and the handlers of dramas`,
    problems: [
      ...compareDefinitions(limits.domains, document),
      ...compareFields(limits, document),
      ...compareColumns(limits),
      ...compareHandlers(limits),
      ...compareComment(limits),
    ],
    remedy: 'Change a limit by alter domain in a migration, and in docs/drama.schema.json: docs/adr/0011-limits.md.',
  }
}

export async function readLimits(client: pg.Client): Promise<Limits> {
  const rows = async <Row extends object>(query: string) => (await client.query<Row>(query)).rows
  const [one] = await rows<{ comment: string }>(
    `select obj_description('public.generate_drama(text, text, jsonb, text)'::regprocedure, 'pg_proc') as comment`,
  )
  return {
    domains: await rows(
      `select t.typname as name, pg_get_constraintdef(k.oid) as check, app.get_domain_limit(t.oid::regtype) as limit
       from pg_type as t
       left join pg_constraint as k on k.contypid = t.oid and k.contype = 'c'
       where t.typtype = 'd' and t.typnamespace = 'app'::regnamespace and t.typname !~ '^task_'
       order by t.typname`,
    ),
    fields: await rows('select kind, key, form from app.list_drama_fields()'),
    options: await rows(`select key, replace(domain::text, 'app.', '') as domain from app.list_drama_options()`),
    columns: await rows(
      `select c.relname as table, a.attname as column, t.typname as domain
       from pg_constraint as k
       join pg_depend as d on d.classid = 'pg_constraint'::regclass and d.objid = k.oid and d.refclassid = 'pg_type'::regclass
       join pg_type as t on t.oid = d.refobjid and t.typtype = 'd' and t.typname !~ '^task_'
       join pg_class as c on c.oid = k.conrelid
       join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
       where k.contype = 'c' and k.convalidated
         and (
           c.relnamespace = 'public'::regnamespace
           or c.oid in ('app.drama_extras'::regclass, 'app.episode_details'::regclass, 'app.scene_details'::regclass)
         )`,
    ),
    comment: one?.comment ?? '',
  }
}

/** Each domain is a definition of the schema of the same name, with the same limits. */
export function compareDefinitions(domains: Domain[], document: JsonSchema): string[] {
  return domains.flatMap(({ name, check, limit }) => {
    if (check === null || limit === null) return [`domain app.${name} has no check with a limit`]
    const whole = wholes[name]?.(limit)
    if (whole !== undefined) {
      return document.description?.includes(whole)
        ? []
        : [`the description of the schema does not say ${whole}: app.${name}`]
    }
    const definition = document.$defs?.[name]
    if (definition === undefined) return [`the schema has no definition ${name} for domain app.${name}`]
    const least = check.match(/>= (\d+)/)?.[1]
    const wanted: JsonSchema = {
      ...(check.includes('char_length(') && { maxLength: limit }),
      ...(/octet_length\(VALUE\)/.test(check) && { maxLength: limit, ...(least && { minLength: Number(least) }) }),
      ...(/(array_length|cardinality)\(/.test(check) && { maxItems: limit }),
      ...(/\(VALUE <= /.test(check) && { minimum: Number(least), maximum: limit }),
      ...(check.includes(' ~ ') && { pattern: check.match(/ ~ '(.*)'::text/)?.[1] ?? '' }),
    }
    const keywords = ['minLength', 'maxLength', 'maxItems', 'minimum', 'maximum', 'pattern'] as const
    const said = `${limit.toLocaleString('en')} bytes`
    return [
      ...keywords
        .filter((keyword) => definition[keyword] !== wanted[keyword])
        .map(
          (keyword) =>
            `${name}: ${keyword} is ${definition[keyword]} in the schema, and ${wanted[keyword]} in app.${name}`,
        ),
      ...(check.includes('octet_length(') && !definition.description?.includes(said)
        ? [`${name}: its description in the schema does not say ${said}`]
        : []),
    ]
  })
}

/** Each field and each option refers in the schema to the domain that it has in SQL. */
export function compareFields({ fields, options }: Limits, document: JsonSchema): string[] {
  const inSchema = Object.entries({ drama: document, ...document.$defs }).flatMap(([kind, { properties = {} }]) =>
    Object.entries(properties).map(([key, property]) => `${kind}.${key}: ${formOf(property, document)}`),
  )
  const inSql = [
    ...fields.map(({ kind, key, form }) => `${kind}.${key}: ${form}`),
    ...options.map(({ key, domain }) => `options.${key}: ${domain ?? 'boolean'}`),
  ]
  return compareSets(inSchema, 'the schema', inSql, 'app.list_drama_fields and app.list_drama_options')
}

/** The name that app.list_drama_fields has for what a property of the schema is. */
function formOf(property: JsonSchema, document: JsonSchema): string {
  const name = property.$ref?.replace('#/$defs/', '')
  if (property.readOnly || (name !== undefined && document.$defs?.[name]?.readOnly)) return 'ignored'
  return name ?? (property.format === 'date-time' ? 'time' : String(property.type))
}

/** Each column has a validated check that casts to the domain of its field; lists are tables of their own. */
export function compareColumns({ fields, columns }: Limits): string[] {
  const wanted = fields.filter(({ form }) => !/^(id|time|ignored|\w+_list)$/.test(form))
  return compareSets(
    columns.map(({ table, column, domain }) => `${tables[table] ?? table}.${column}: ${domain}`),
    'the checks of the tables',
    wanted.map(({ kind, key, form }) => `${kind}.${key}: ${form}`),
    'app.list_drama_fields',
  )
}

/** Outputs and inputs of handlers have the limits of the fields that they become. */
export function compareHandlers({ domains, fields, options }: Limits, documents: Documents = dramaDocuments): string[] {
  const limitOf = (domain: string | null | undefined) => domains.find(({ name }) => name === domain)?.limit
  const fieldLimit = (kind: string, key: string) =>
    limitOf(fields.find((one) => one.kind === kind && one.key === key)?.form)
  const optionLimit = (key: string) => limitOf(options.find((one) => one.key === key)?.domain)
  const problems: string[] = []
  const compare = (where: string, found: number | undefined, wanted: number | null | undefined) => {
    if (found === undefined || found !== wanted)
      problems.push(`${where} has the limit ${found} in its handler, and ${wanted} in SQL`)
  }
  const compareProperties = (where: string, object: JsonSchema | undefined, kind: string, keys: string[]) => {
    for (const key of keys) {
      const property = object?.properties?.[key]
      compare(`${where}.${key}`, property?.maxLength ?? property?.maxItems, fieldLimit(kind, key))
    }
  }
  const outputs = Object.fromEntries(
    Object.entries(documents).map(([type, { output }]) => [type, z.toJSONSchema(output) as JsonSchema]),
  )
  const inputs = Object.fromEntries(
    Object.entries(documents).map(([type, { input }]) => [type, z.toJSONSchema(input, { io: 'input' }) as JsonSchema]),
  )
  const items = (type: string, key: string) => outputs[type]?.properties?.[key]?.items

  compareProperties('write_outline', outputs['write_outline'], 'drama', ['title', 'logline', 'genre'])
  compareProperties('write_outline.episodes', items('write_outline', 'episodes'), 'episode', ['title', 'summary'])
  compareProperties('write_cast.characters', items('write_cast', 'characters'), 'character', [
    'name',
    'role',
    'description',
    'appearance',
  ])
  compareProperties('write_script', outputs['write_script'], 'episode', ['script'])
  compareProperties('write_script.scenes', items('write_script', 'scenes'), 'scene', [
    'title',
    'summary',
    'character_ids',
  ])
  compareProperties('write_scene', outputs['write_scene'], 'scene', ['text', 'image_prompt', 'video_prompt'])
  for (const [type, key, option] of [
    ['write_outline', 'episodes', 'episodes'],
    ['write_cast', 'characters', 'characters'],
    ['write_script', 'scenes', 'scenes_per_episode'],
  ] as const) {
    compare(`${type}.${key}`, outputs[type]?.properties?.[key]?.maxItems, optionLimit(option))
    compare(`the input ${option}`, inputs['write_outline']?.properties?.[option]?.maximum, optionLimit(option))
  }
  for (const type of ['generate_image', 'generate_video'] as const) {
    compare(`${type}.url`, outputs[type]?.properties?.['url']?.maxLength, limitOf('http_url'))
    compare(`the references of ${type}`, inputs[type]?.properties?.['references']?.maxItems, limitOf('reference_list'))
  }
  return problems
}

type Documents = Record<string, { input: z.ZodType; output: z.ZodType }>

/** The comment on generate_drama, which is in the OpenAPI description, names the limits of the options. */
export function compareComment({ domains, fields, options, comment }: Limits): string[] {
  const limitOf = (domain: string | null | undefined) => domains.find(({ name }) => name === domain)?.limit
  const premise = fields.find(({ kind, key }) => kind === 'drama' && key === 'premise')?.form
  const wanted = [
    `premise: 1 to ${limitOf(premise)?.toLocaleString('en')} characters`,
    ...options
      .filter(({ domain }) => domain?.startsWith('wanted_'))
      .map(({ key, domain }) => `${key} (1 to ${limitOf(domain)}`),
  ]
  const text = comment.replaceAll('\n', ' ')
  return wanted
    .filter((one) => !text.includes(one))
    .map((one) => `the comment on public.generate_drama does not say "${one}"`)
}

/** The entries that only one of two lists has. */
function compareSets(ones: string[], where: string, others: string[], elsewhere: string): string[] {
  return [
    ...ones.filter((one) => !others.includes(one)).map((one) => `${one} is in ${where}, and not in ${elsewhere}`),
    ...others.filter((one) => !ones.includes(one)).map((one) => `${one} is in ${elsewhere}, and not in ${where}`),
  ]
}
