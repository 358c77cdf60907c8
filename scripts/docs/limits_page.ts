import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { root } from './pages.ts'

// docs/guide/limits.md, drawn from a database. The value of a limit is its default; the comment on its column, domain or
// function says whom it limits and what happens beyond it: "… Limit per user: 429 rate_limited."

/** Columns and variables that limit nobody. */
const noLimits = new Set([
  'app.settings.buying_is_stopped',
  'app.settings.client_address_header',
  'app.settings.id',
  'app.settings.job_events_are_kept',
  'app.settings.job_lease',
  'app.settings.job_retention',
  'app.settings.paymob_integration_ids',
  'app.settings.paymob_owner_id',
  'app.settings.share_base_url',
  'app.settings.credit_hold_max',
  'app.settings.credit_hold_retention',
  'app.settings.task_retention',
  'app.settings.cache_ttl',
  'app.settings.generation_file_grace',
  'app.settings.generation_key_retention',
  'app.settings.notification_retention',
  'app.settings.storage_url',
  'app.settings.upload_retention',
  'public.job_types.backoff',
  'public.job_types.backoff_max',
  'public.job_types.description',
  'public.job_types.has_handler',
  'public.job_types.is_paid',
  'public.job_types.name',
  'public.job_types.on_failure',
  'public.job_types.rate_spent_until',
  'public.job_types.version',
  'public.plans.created_at',
  'public.plans.credits_per_period',
  'public.plans.currency',
  'public.plans.description',
  'public.plans.enabled',
  'public.plans.id',
  'public.plans.low_credits_at',
  'public.plans.name',
  'public.plans.period',
  'public.plans.price_minor',
  'public.plans.sort',
  'public.plans.updated_at',
  'GEMINI_VIDEO_POLL_SECONDS',
  'PLINTH_TEST_CLOCK_SHIFT_MS',
  'TEMPLATES_CACHE_TTL_SECONDS',
  'WORKER_DRAIN_SECONDS',
])

/** A limit as its comment describes it. */
export type Described = { meaning: string; per: string; beyond: string }

/** The page, and what is missing in the comments. */
export type LimitsPage = { text: string; problems: string[] }

const introduction = `# Limits

<!-- Written by npm run db:check -- --write. The text is in scripts/docs/limits_page.ts, the rest is in the database. -->

Plinth limits what one caller can cost, fill or delay. This page lists every limit with its default, whom it limits, and
what happens beyond it. A status and a slug are the answer that the caller gets; [errors](../errors.md) says what to do
next. A **caller** is the signed-in user, or else the client address: an IPv4 address or an IPv6 /64. A /48 has 16 times
the rates of a /64, and four times its requests and uploads at a time. An API key counts as its owner. \`service_role\` is
trusted, so limits of callers do not count its requests; limits of plans count them for the owner.

Rates are token buckets: a caller may use the whole rate at once, and gets it back evenly. The answer
429 \`rate_limited\` has the seconds to wait in \`Retry-After\`. A refused request changes nothing.

Operators change a setting with \`update app.settings set … = …\`, a plan with \`update public.plans\`, a job type with
\`update public.job_types\`. The next request uses the new value. \`npm run db:migrate\` never changes it back. The values
on this page are those of a new database; [operations](../operations.md) says how to choose others.`

/** Limits that are part of a function: the text of the function that proves the value. */
const fixed: { what: string; value: string; per: string; beyond: string; proof: [name: string, text: string] }[] = [
  {
    what: 'body of a request',
    value: '6 MiB',
    per: 'request',
    beyond: '413 request_too_large',
    proof: ['app.require_body_length', '6291456'],
  },
  {
    what: 'time of an anonymous GET or HEAD, unless its function has a timeout of its own',
    value: '1 s',
    per: 'request',
    beyond: '57014: the statement ends',
    proof: ['app.admit_caller', "'statement_timeout', '1s'"],
  },
  {
    what: 'time of a PATCH, PUT or DELETE of a user, and of `submit_task`, `cancel_task`, `answer_task` and `retry_task`',
    value: '2 s',
    per: 'request',
    beyond: '57014: the statement ends',
    proof: ['gate.shorten_write_time', "'2s'"],
  },
  {
    what: 'anonymous GET and HEAD requests that run at the same time',
    value: 'a third of `requests_at_once`',
    per: 'client address',
    beyond: 'further reads wait',
    proof: ['app.await_turn', 'slots / 3'],
  },
  {
    what: '`tool_parameters` of `process_image` and `analyze_face`',
    value: '64 KiB',
    per: 'request',
    beyond: '422 parameters_invalid',
    proof: ['app.parse_tool_parameters', '65536'],
  },
  {
    what: 'live API keys',
    value: '50',
    per: 'user',
    beyond: '409 too_many_api_keys',
    proof: ['app.insert_api_key', '> 50'],
  },
  {
    what: 'new API keys',
    value: '100 an hour',
    per: 'user',
    beyond: '429 rate_limited',
    proof: ['app.insert_api_key', "100, interval '1 hour'"],
  },
  {
    what: 'time that a rotated API key stays valid',
    value: '7 days',
    per: 'API key',
    beyond: '422 grace_out_of_range',
    proof: ['app.rotate_api_key', '604800'],
  },
  {
    what: 'life of a share',
    value: '1 hour',
    per: 'share',
    beyond: '404 share_not_found',
    proof: ['app.tg_shared_resources__set_expiry', "interval '1 hour'"],
  },
  {
    what: 'life of an inserted resource that no share shows',
    value: '1 hour',
    per: 'resource',
    beyond: '422 resource_not_found',
    proof: ['app.delete_unshared_resources', "interval '1 hour'"],
  },
  {
    what: 'rows of a page of list_dramas or list_public_shares',
    value: '100',
    per: 'request',
    beyond: '422 page_invalid',
    proof: ['app.parse_page', 'between 1 and 100'],
  },
  {
    what: 'dependencies of the steps of a run',
    value: '100,000',
    per: 'run',
    beyond: '422 too_many_dependencies',
    proof: ['app.parse_steps', '> 100000'],
  },
  {
    what: 'input of a step',
    value: '1 MiB',
    per: 'step',
    beyond: '422 step_invalid',
    proof: ['app.parse_steps', '> 1048576'],
  },
  {
    what: 'saved state of a step',
    value: '1 MiB',
    per: 'step',
    beyond: 'the step fails with state_too_large',
    proof: ['app.judge_result', '> 1048576'],
  },
  {
    what: 'delays that a provider names',
    value: '100',
    per: 'step',
    beyond: 'the step fails',
    proof: ['app.judge_result', 'delays < 100'],
  },
  {
    what: 'time until a rescheduled step runs again',
    value: '366 days',
    per: 'turn',
    beyond: 'the step runs after 366 days',
    proof: ['app.judge_result', '31622400000'],
  },
  {
    what: 'file of a template version',
    value: '1 MiB',
    per: 'file',
    beyond: '422 template_invalid',
    proof: ['app.find_template_file_fault', '1048576'],
  },
]

/** Settings of roles that limit something, and what happens beyond. */
const roleSettings: Record<string, string> = {
  statement_timeout: '57014: the statement ends',
  lock_timeout: '55P03: the statement ends',
  idle_in_transaction_session_timeout: 'the session ends',
}

/** Reads the last sentence of a comment; undefined if it does not say whom the object limits. */
export function readLimit(comment: string): Described | undefined {
  const text = comment.replace(/\s+/g, ' ').trim()
  const match = /^(.*?) ?Limit per ([^:.]+): ([^.]+)\.$/.exec(text)
  return match ? { meaning: match[1] ?? '', per: match[2] ?? '', beyond: match[3] ?? '' } : undefined
}

/** Draws the page from a database that the files made. */
export async function drawLimits(client: pg.Client, example = readExample()): Promise<LimitsPage> {
  const problems: string[] = []
  const rows = async <Row extends object>(query: string) => (await client.query<Row>(query)).rows
  const limitsOf = <Row extends { name: string; comment: string | null }>(object: string, all: Row[]) =>
    all.flatMap((row) => {
      if (noLimits.has(object + row.name)) return []
      const limit = readLimit(row.comment ?? '')
      if (limit === undefined) problems.push(`${object}${row.name}: its comment does not end with "Limit per …: …."`)
      return limit === undefined ? [] : [{ ...row, ...limit }]
    })
  const columns = (table: string) =>
    rows<{ name: string; comment: string | null }>(
      `select a.attname as name, col_description(a.attrelid, a.attnum) as comment
       from pg_attribute as a
       where a.attrelid = '${table}'::regclass and a.attnum > 0 and not a.attisdropped
       order by a.attname`,
    )
  const values = (table: string, key: string) =>
    rows<{ key: string; value: Record<string, unknown> }>(
      `select r.${key}::text as key, to_jsonb(r) as value from ${table} as r order by 1`,
    )

  const [settings] = await values('app.settings', 'id')
  const settingLimits = limitsOf('app.settings.', await columns('app.settings'))

  const plans = await values('public.plans', 'id')
  const planLimits = limitsOf('public.plans.', await columns('public.plans'))

  const types = await values('public.job_types', 'name')
  const typeLimits = limitsOf('public.job_types.', await columns('public.job_types'))

  const domains = limitsOf(
    'app.',
    await rows<{ name: string; comment: string | null; check: string; value: number }>(
      `select t.typname as name, obj_description(t.oid, 'pg_type') as comment,
         pg_get_constraintdef(k.oid) as check, app.get_domain_limit(t.oid::regtype) as value
       from pg_type as t
       left join pg_constraint as k on k.contypid = t.oid
       where t.typtype = 'd' and t.typnamespace = 'app'::regnamespace
       order by 1`,
    ),
  )

  const shareLimits = limitsOf(
    'app.get_share_limit: ',
    await rows<{ name: string; comment: string | null; value: number }>(
      `select m.found[1] as name, app.get_share_limit(m.found[1]) as value,
         substring(
           regexp_replace(obj_description(p.oid, 'pg_proc'), '\\s+', ' ', 'g')
           from m.found[1] || ': (.*?Limit per [^.]*\\.)'
         ) as comment
       from pg_proc as p
       cross join regexp_matches(p.prosrc, 'when ''(\\w+)'' then return', 'g') as m (found)
       where p.oid = 'app.get_share_limit(text)'::regprocedure
       order by 1`,
    ),
  )

  const roles = await rows<{ role: string; name: string; value: string }>(
    `select s.setrole::regrole::text as role, split_part(c.line, '=', 1) as name, split_part(c.line, '=', 2) as value
     from pg_db_role_setting as s
     cross join unnest(s.setconfig) as c (line)
     where s.setdatabase = 0
       and s.setrole = any ('{anon,authenticated,authenticator,worker,sidecar}'::regrole[])
       and split_part(c.line, '=', 1) = any (array['${Object.keys(roleSettings).join("','")}'])
     union all
     select r.rolname::text, 'connection limit', r.rolconnlimit::text
     from pg_roles as r
     where r.rolname in ('worker', 'sidecar')
     order by 1, 2`,
  )

  const variables = limitsOf('', readVariables(example))

  const sources = new Map(
    (
      await rows<{ name: string; source: string }>(
        `select p.pronamespace::regnamespace || '.' || p.proname as name, string_agg(pg_get_functiondef(p.oid), '') as source
         from pg_proc as p
         where p.prokind = 'f' and p.pronamespace = any ('{app,gate,sidecar,worker}'::regnamespace[])
         group by 1`,
      )
    ).map(({ name, source }) => [name, source]),
  )
  for (const { what, value, proof } of fixed) {
    if (!sources.get(proof[0])?.replace(/\s+/g, ' ').includes(proof[1])) {
      problems.push(
        `scripts/docs/limits_page.ts: ${proof[0]} does not contain "${proof[1]}": is ${what} still ${value}?`,
      )
    }
  }

  const sections = [
    introduction,
    `## Settings

Columns of the one row of \`app.settings\`.

${table(
  ['setting', 'per', 'default', 'beyond it', 'meaning'],
  settingLimits.map(({ name, per, beyond, meaning }) => [
    code(name),
    per,
    format(name, settings?.value[name]),
    answer(beyond),
    meaning,
  ]),
)}`,
    planLimits.length > 0 &&
      `## Plans

Columns of \`plans\`. Each user has a plan (\`users.plan_id\`).

${table(
  ['column', 'per', ...plans.map(({ key }) => code(key)), 'beyond it', 'meaning'],
  planLimits.map(({ name, per, beyond, meaning }) => [
    code(name),
    per,
    ...plans.map(({ value }) => format(name, value[name])),
    answer(beyond),
    meaning,
  ]),
)}`,
    `## Job types

Columns of \`job_types\`. [Jobs](jobs.md) and [handlers](handlers.md) say what a step is.

${table(
  ['column', 'per', 'beyond it', 'meaning'],
  typeLimits.map(({ name, per, beyond, meaning }) => [code(name), per, answer(beyond), meaning]),
)}

The types of a new database:

${table(
  ['column', ...types.map(({ key }) => code(key))],
  typeLimits.map(({ name }) => [code(name), ...types.map(({ value }) => format(name, value[name]))]),
)}`,
    `## Shares

Values of \`app.get_share_limit\`. A change is a change of the function.

${table(
  ['limit', 'per', 'value', 'beyond it', 'meaning'],
  shareLimits.map(({ name, value, per, beyond, meaning }) => [
    code(name),
    per,
    format(name, value),
    answer(beyond),
    meaning,
  ]),
)}`,
    `## Dramas

Domains of schema \`app\`; [ADR 11](../adr/0011-limits.md) says how to change one. [drama.schema.json](../drama.schema.json)
has the same limits for clients.

${table(
  ['domain', 'per', 'most', 'beyond it', 'meaning'],
  domains.map(({ name, value, check, per, beyond, meaning }) => [
    code(`app.${name}`),
    per,
    format(check.includes('octet_length(') ? `${name}_bytes` : name, value),
    answer(beyond),
    meaning,
  ]),
)}`,
    `## Fixed limits

${table(
  ['limit', 'value', 'per', 'beyond it', 'function'],
  fixed.map(({ what, value, per, beyond, proof }) => [what, value, per, answer(beyond), code(proof[0])]),
)}`,
    `## Roles

Settings of roles: \`alter role … set …\`. \`anon\`, \`authenticated\` and \`authenticator\` are Supabase's.

${table(
  ['role', 'setting', 'value', 'beyond it'],
  roles.map(({ role, name, value }) => [
    code(role),
    name,
    value,
    answer(roleSettings[name] ?? '53300: the connection is refused'),
  ]),
)}`,
    `## Processes

Environment variables; \`.env.example\` has all.

${table(
  ['variable', 'per', 'default', 'beyond it', 'meaning'],
  variables.map(({ name, value, per, beyond, meaning }) => [code(name), per, value, answer(beyond), meaning]),
)}`,
  ]
  return { text: `${sections.filter(Boolean).join('\n\n')}\n`, problems }
}

/** The variables of .env.example with numbers, each with the comment above it. */
export function readVariables(example: string): { name: string; value: string; comment: string }[] {
  const lines = example.split('\n')
  return lines
    .flatMap((line, index) => {
      const [, name = '', value = ''] = /^#?([A-Z][A-Z0-9_]+)=([0-9]+)$/.exec(line) ?? []
      if (name === '' || name.endsWith('_PORT')) return []
      const above: string[] = []
      for (let at = index - 1; /^#(?: |$)/.test(lines[at] ?? ''); at--) above.unshift((lines[at] ?? '').slice(2))
      return [{ name, value, comment: above.join(' ') }]
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function readExample(): string {
  return readFileSync(join(root, '.env.example'), 'utf8')
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

function code(text: string): string {
  return `\`${text}\``
}

/** A status and a slug, with the slug as code. */
function answer(beyond: string): string {
  return beyond.replace(/\b[a-z]+(?:_[a-z]+)+\b/g, code('$&'))
}

function format(name: string, value: unknown): string {
  if (value === null || value === undefined) return 'none'
  if (typeof value !== 'number') return String(value)
  const unit = name.includes('bytes')
    ? (
        [
          ['GiB', 2 ** 30],
          ['MiB', 2 ** 20],
          ['KiB', 2 ** 10],
        ] as const
      ).find(([, size]) => value >= size && value % size === 0)
    : undefined
  return unit ? `${value / unit[1]} ${unit[0]}` : value.toLocaleString('en')
}
