import type { Client } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { seed } from '../../../scripts/database/migrate.ts'
import { migrateAlone } from '../../../scripts/testing/cluster.ts'
import { type Api, openDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'
import { prepareOldDatabase } from '../../../scripts/testing/old_database.ts'

// Each grant that an access.sql or a function's file gives a client, tried once through PostgREST. The catalog has the list, so a
// new grant without a request below fails. The database is a filled one, because triggers and policies only run where rows are.

type Role = 'anon' | 'authenticated' | 'service_role'
type Body = Record<string, unknown>
type Answer = { status: number; text: string }

const roles: Role[] = ['anon', 'authenticated', 'service_role']
const ana = { id: '10000000-0000-4000-8000-000000000001', email: 'ana@example.com' }
const shareId = '20000000-0000-4000-8000-000000000001'
const openFlowId = '30000000-0000-4000-8000-000000000002'
const characterId = '50000000-0000-4000-8000-000000000001'
const episodeId = '50000000-0000-4000-8000-000000000002'
const sceneId = '50000000-0000-4000-8000-000000000003'

let database: TestDatabase
let db: Client
let api: Api

beforeAll(async () => {
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`
  await prepareOldDatabase(inject('cluster'), name)
  database = openDatabase(name)
  await migrateAlone(inject('cluster'), name)
  await seed(database.url())
  db = await database.connect()
  // PostgREST's connections keep plans, with the names in them resolved: a function that ran as postgres would go on working
  // for a role that may not enter schema app. Each request shall be a connection's first.
  await db.query(`
    alter function gate.pre_request() rename to real_pre_request;
    create function gate.pre_request() returns void language plpgsql set search_path = '' as $$
    begin
      perform gate.real_pre_request();
      discard plans;
    end
    $$;
    grant execute on function gate.pre_request() to anon, authenticated, service_role;
    -- Tests send many requests of one caller at the same moment.
    update app.settings set requests_at_once = 0`)
  api = await startApi(database)
  await insertTask('pending', 'waiting')
  await insertGeneration('cancelled')
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

async function send(role: Role, method: string, path: string, body?: unknown): Promise<Answer> {
  const token = { anon: api.anonKey, authenticated: await api.tokenFor(ana), service_role: api.serviceKey }[role]
  const response = await fetch(`${api.url}/rest/v1/${path}`, {
    method,
    headers: {
      apikey: api.anonKey,
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      prefer: 'return=minimal,count=exact',
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const range = response.headers.get('content-range')
  return { status: response.status, text: range?.endsWith('/0') && method !== 'GET' ? 'no row' : await response.text() }
}

const one = async <T>(sql: string): Promise<T> => (await db.query({ text: sql, rowMode: 'array' })).rows[0]?.[0]
const findJob = (key: string) =>
  one<string>(`select id from jobs where key = '${key}' order by id limit 1`).then(Number)
const findDrama = (label: string) => one<string>(`select id from dramas where premise like '%: ${label}'`)
const findKey = (name: string) =>
  one<string>(`select id from api_keys where name = '${name}' order by created_at limit 1`)
/** Inserts a task of Ana's; one that needs input asks a question of tick 1. */
const insertTask = async (status: string, correlation = crypto.randomUUID() as string) => {
  const id = await one<string>(
    `insert into tasks (user_id, mandate, status, correlation_id) values ('${ana.id}', 'm', '${status}', '${correlation}') returning id`,
  )
  await db.query(
    `update app.task_states set question = '{"tick": 1, "text": "?"}', deadline = now() + interval '1 day'
     where task_id = '${id}' and '${status}' = 'input_required'`,
  )
  return id
}
/** Inserts a generation of Ana's. */
const insertGeneration = (status: string) =>
  one<string>(
    `insert into generations (user_id, tool_key, kind, status, tool_parameters, credits)
     values ('${ana.id}', 'ours', 'image', '${status}', '{}', 1) returning id`,
  )
/** Adds a tool of the studio, a photo of Ana's, and what a request needs besides them. */
const addTool = async (kind: string) => {
  await db.query(`
    update app.settings set storage_url = 'http://x/storage/v1';
    insert into job_types (name) values ('process_image'), ('analyze_face') on conflict do nothing;
    insert into storage.buckets (id, name) values ('user_uploads', 'user_uploads') on conflict do nothing;
    insert into storage.objects (bucket_id, name, metadata)
    values ('user_uploads', '${ana.id}/photo.jpg', '{"eTag": "\\"e\\"", "size": 1, "mimetype": "image/png"}')
    on conflict do nothing;
    select app.grant_credits('${ana.id}', 5, 'pack', gen_random_uuid()::text, null, gen_random_uuid()::text)`)
  return await one<string>(
    `insert into tools (key, name, category, kind, prompt, model, result_schema)
     values ('for_${kind}', 'n', 'c', '${kind}', 'p', 'm', case '${kind}' when 'analysis' then '{"type": "object"}'::jsonb end)
     on conflict (key) do update set name = excluded.name
     returning id`,
  )
}
const findAsset = () => one<string>('select id from assets where size_byte = 100')
const file = (path: string) => ({
  kind: 'main',
  locale: 'en',
  storage_path: path,
  sha256: 'a'.repeat(64),
  size_bytes: 10,
  content_type: 'text/markdown',
})

/** A row for each table that clients insert into, with every column that is granted. */
const inserts: Record<string, (role: Role) => Promise<Body>> = {
  flows: async () => ({
    id: crypto.randomUUID(),
    name: 'n',
    description: 'd',
    nodes: [],
    edges: [],
    response_template: '',
  }),
  agents: async () => ({
    id: crypto.randomUUID(),
    flow_id: openFlowId,
    name: 'n',
    prompt_messages: [],
    model_tier: 'light',
    temperature: 1,
    max_tokens: 1,
    top_p: 1,
    frequency_penalty: 0,
    presence_penalty: 0,
    response_format: 'text',
  }),
  data_store_nodes: async () => ({
    id: crypto.randomUUID(),
    flow_id: openFlowId,
    name: 'n',
    color: 'red',
    data_store_fields: [],
  }),
  if_nodes: async () => ({ id: crypto.randomUUID(), flow_id: openFlowId, name: 'n', conditions: [] }),
  characters: async () => ({ ...card(), example_dialogue: 'd', icon_asset_id: await findAsset() }),
  scenarios: async () => ({ ...card(), first_messages: [], icon_asset_id: await findAsset() }),
  sessions: async () => ({
    id: crypto.randomUUID(),
    title: 't',
    all_cards: [{ icon_asset_id: await findAsset() }],
    user_character_card_id: 'c',
    turn_ids: [],
    background_id: await findAsset(),
    cover_id: await findAsset(),
    translation: {},
    chat_styles: {},
    flow_id: 'f',
  }),
  shared_resources: async (role) => {
    const flow = await inserts['flows']?.(role)
    expect(await send(role, 'POST', 'flows', flow)).toMatchObject({ status: 201 })
    return {
      id: crypto.randomUUID(),
      resource_type: 'flow',
      resource_id: flow?.['id'],
      expires_at: new Date(Date.now() + 60_000).toISOString(),
      visibility: 'public',
    }
  },
  dramas: async (role) => ({
    premise: 'A lighthouse',
    model: 'gemini-3-pro-preview',
    options: { episodes: 1 },
    idempotency_key: role,
    ...(role === 'service_role' && { owner_id: ana.id }),
  }),
  plans: async () => ({ id: 'ours', ...catalogue.plans }),
  credit_packs: async () => ({ id: 'ours', ...catalogue.credit_packs }),
  tools: async () => ({ id: crypto.randomUUID(), ...catalogue.tools }),
  hairstyles: async () => ({ id: crypto.randomUUID(), ...catalogue.hairstyles }),
  colors: async () => ({ id: crypto.randomUUID(), ...catalogue.colors }),
  tasks: async (role) => ({
    id: crypto.randomUUID(),
    correlation_id: role,
    user_id: ana.id,
    mandate: 'Find three names.',
    max_ticks: 5,
  }),
}

/** The columns of the catalogue that service_role inserts and updates. */
const price = { price_minor: 100, currency: 'EGP', enabled: false, sort: 1 }
const choice = { key: 'ours', name: 'n', category: 'c', prompt: 'p', enabled: false, sort: 1 }
const catalogue = {
  plans: {
    ...price,
    name: 'n',
    description: 'd',
    images_per_day: 1,
    videos_per_day: 1,
    bytes_stored: 1,
    tasks_running: 1,
    tasks_open: 1,
    tasks_per_day: 1,
    period: '1 week',
    credits_per_period: 1,
    low_credits_at: 1,
    dramas_per_day: 1,
    dramas_open: 1,
  },
  credit_packs: { ...price, name: 'n', description: 'd', credits: 1 },
  tools: {
    ...choice,
    description: 'd',
    kind: 'analysis',
    model: 'm',
    parameters: { type: 'object', additionalProperties: false },
    result_schema: { type: 'object' },
    cost: 1,
  },
  hairstyles: { ...choice, image_url: 'https://example.com/a.png' },
  colors: { ...choice, hex: '#000000' },
}

const card = () => ({
  id: crypto.randomUUID(),
  title: 't',
  name: 'n',
  description: 'd',
  lorebook: null,
  tags: ['t'],
  creator: 'c',
  version: '1',
  card_summary: 's',
  conceptual_origin: 'o',
})

/** A change of an existing row for each table that clients update, with every column that is granted. */
const updates: Record<string, { row: string; body: Body }> = {
  plans: { row: 'id=eq.ours', body: { id: 'ours', ...catalogue.plans } },
  credit_packs: { row: 'id=eq.ours', body: { id: 'ours', ...catalogue.credit_packs } },
  tools: { row: 'key=eq.ours', body: catalogue.tools },
  hairstyles: { row: 'key=eq.ours', body: catalogue.hairstyles },
  colors: { row: 'key=eq.ours', body: catalogue.colors },
  templates: { row: 'name=eq.off', body: { enabled: true } },
  episodes: { row: `id=eq.${episodeId}`, body: { title: 't', summary: 's' } },
  scenes: { row: `id=eq.${sceneId}`, body: { title: 't', summary: 's', text: 'x' } },
  generations: { row: 'tool_key=eq.ours', body: { is_favourite: true } },
  tasks: { row: 'correlation_id=eq.waiting', body: { mandate: 'Find four names.', max_ticks: 6 } },
}

/** An existing row for each table that clients delete from. */
const deletes: Record<string, string> = {
  plans: 'id=eq.ours',
  credit_packs: 'id=eq.ours',
  tools: 'key=eq.ours',
  hairstyles: 'key=eq.ours',
  colors: 'key=eq.ours',
  generations: 'tool_key=eq.ours',
  shared_resources: 'id=eq.20000000-0000-4000-8000-000000000031',
  tasks: 'correlation_id=eq.waiting',
}

/** Stores a callback of no order, as the sidecar does, and returns the id of its payment. */
async function insertPayment(): Promise<string> {
  const callback = { type: 'TRANSACTION', hmac: 'x', body: '{}', signed: {}, hints: {} }
  const { rows } = await db.query('select sidecar.record_paymob_callback($1) as payment', [JSON.stringify(callback)])
  return rows[0].payment.payment_id
}

/** Functions that need no account. */
const openToAll = new Set([
  'describe_share',
  'get_shared_resource',
  'list_public_shares',
  'revoke_share',
  'share_card',
  'share_flow',
  'share_session',
])

/** A request that succeeds for each function, with every parameter. */
const calls: Record<string, (role: Role) => Promise<Body>> = {
  adjust_credits: async () => ({ user_id: ana.id, amount: 5, reason: 'A gift', idempotency_key: 'k' }),
  answer_task: async () => ({ id: await insertTask('input_required'), tick: 1, answer: 'yes' }),
  analyze_face: async () => ({
    tool_id: await addTool('analysis'),
    original_image_storage_path: `${ana.id}/photo.jpg`,
    tool_parameters: {},
    idempotency_key: 'analysis',
  }),
  cancel_generation: async () => ({ generation_id: await insertGeneration('cancelled') }),
  cancel_job: async (role) => ({ job_id: await findJob(role === 'service_role' ? 'limited-run' : 'open-run') }),
  cancel_task: async () => ({ id: await insertTask('pending') }),
  count_unread_notifications: async () => ({}),
  create_api_key: async () => ({
    name: 'n',
    scopes: ['read'],
    expires_at: new Date(Date.now() + 60_000).toISOString(),
  }),
  create_order: async () => {
    await db.query("update app.settings set paymob_integration_ids = '{1}', paymob_owner_id = 1")
    const billing = { first_name: 'Ana', last_name: 'Costa', email: 'ana@example.com', phone: '+201000000000' }
    return { kind: 'credit_pack', item_id: 'small', billing, idempotency_key: 'k' }
  },
  delete_drama: async (role) => ({ drama_id: await findDrama(role === 'service_role' ? 'failed' : 'cancelled') }),
  deprecate_template_version: async () => ({ name: 'off', version: '1.0.0' }),
  describe_share: async () => ({ share_id: shareId }),
  export_my_data: async () => ({}),
  generate_drama: async () => ({ premise: 'A storm', model: null, options: { episodes: 1 }, idempotency_key: 'k' }),
  get_drama_complete: async () => ({ drama_id: await findDrama('completed') }),
  get_shared_resource: async () => ({ share_id: shareId }),
  job_graph: async () => ({ job_id: await findJob('completed-run') }),
  job_tree: async () => ({ job_id: await findJob('completed-run') }),
  get_media_limits: async () => ({ owner_id: ana.id }),
  list_dramas: async () => ({ page_size: 1, after: null, owner_id: ana.id, limit: 1 }),
  list_generations: async () => ({ limit: 1, before: null, favourite: true }),
  list_public_shares: async () => ({ page_size: 1, after: null }),
  list_shares: async () => ({}),
  list_tasks: async () => ({ limit: 1, before: null }),
  mark_notification_read: async () => ({
    notification_id: await one<string>(`select app.notify('${ana.id}', 'hello', 'Hello', '')`),
  }),
  mark_notifications_read: async () => ({}),
  process_image: async () => ({
    tool_id: await addTool('image'),
    original_image_storage_path: `${ana.id}/photo.jpg`,
    tool_parameters: {},
    idempotency_key: 'image',
  }),
  publish_template_version: async () => ({
    name: 'demo',
    version: '3.0.0',
    artifacts: [file('demo/v3.0.0/main.md')],
    prompts: [{ role: 'system', locale: null, storage_path: 'demo/v3.0.0/system.md', sha256: 'b'.repeat(64) }],
    changelog: 'c',
    status: 'stable',
    set_default: false,
    created_by: ana.id,
    upload_id: null,
  }),
  regenerate_asset: async (role) => ({
    target_id: role === 'service_role' ? sceneId : characterId,
    kind: role === 'service_role' ? 'video' : 'portrait',
    prompt: 'p',
    idempotency_key: role,
  }),
  replay_callback: async () => ({ payment_id: await insertPayment() }),
  retry_job: async (role) => ({ job_id: await findJob(role === 'service_role' ? 'cancelled-run' : 'failed-run') }),
  retry_task: async () => ({ id: await insertTask('error') }),
  revoke_api_key: async () => ({ id: await findKey('read') }),
  revoke_share: async (role) => {
    const share = { share_id: crypto.randomUUID(), revoke_token: crypto.randomUUID() }
    const flow = { name: 'n', nodes: [], edges: [] }
    expect(await send(role, 'POST', 'rpc/share_flow', { flow, ...share })).toMatchObject({ status: 200 })
    return share
  },
  rotate_api_key: async () => ({ id: await findKey('write'), grace_seconds: 1 }),
  save_drama_complete: async () => ({ drama: { title: 't', episodes: [{ title: 'e' }] }, owner_id: ana.id }),
  set_default_version: async () => ({ name: 'demo', version: '1.1.0' }),
  set_template_channel: async () => ({ name: 'demo', channel: 'beta', weights: { '1.1.0': 100 } }),
  share_card: async () => ({
    card: { spec: 'chara_card_v2', spec_version: '2.0', data: { name: 'n' } },
    icon_asset_id: await findAsset(),
    kind: 'character',
    share_id: crypto.randomUUID(),
    visibility: 'public',
    revoke_token: crypto.randomUUID(),
  }),
  share_flow: async () => ({
    flow: { name: 'n', nodes: [], edges: [], agents: { a: { name: 'n', promptMessages: [], temperature: 1 } } },
    share_id: crypto.randomUUID(),
    visibility: 'public',
    revoke_token: crypto.randomUUID(),
  }),
  share_session: async () => ({
    session: { title: 't', background_id: await findAsset(), all_cards: [{ icon_asset_id: await findAsset() }] },
    flow: { name: 'n', nodes: [], edges: [] },
    share_id: crypto.randomUUID(),
    visibility: 'public',
    revoke_token: crypto.randomUUID(),
  }),
  submit_run: async () => ({ spec: { key: 'k', type: 'noop' }, owner_id: ana.id, idempotency_key: 'k' }),
  submit_task: async () => ({ mandate: 'Find two names.', max_ticks: 2, correlation_id: 'k' }),
  template_manifest: async () => ({ name: 'demo', version: 'default', locale: 'en', key: 'k' }),
}

type TableGrant = { role: Role; name: string; command: string; columns: string[] }

/** The tables and views of schema public, with the columns that a role may use in a command. */
async function listTableGrants(command: 'select' | 'insert' | 'update' | 'delete'): Promise<TableGrant[]> {
  const { rows } = await db.query<TableGrant>(
    `select r.role, c.relname as name, $1 as command, array_agg(a.attname::text order by a.attnum) as columns
     from pg_class as c
     join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     cross join unnest($2::text[]) as r (role)
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
       and case $1
         when 'delete' then has_table_privilege(r.role, c.oid, 'delete')
         else has_column_privilege(r.role, c.oid, a.attnum, $1)
       end
     group by r.role, c.relname
     order by r.role, c.relname`,
    [command, roles],
  )
  return rows
}

const failed = (what: string, { status, text }: Answer) =>
  status >= 200 && status < 300 && text !== 'no row' ? [] : [`${what}: ${status} ${text}`]

test('every granted column can be read', async () => {
  const grants = await listTableGrants('select')
  const found = await Promise.all(
    grants.map(async ({ role, name, columns }) =>
      failed(`${role} select ${name}`, await send(role, 'GET', `${name}?select=${columns}&limit=5`)),
    ),
  )
  expect(found.flat()).toEqual([])
  expect(new Set(grants.map(({ role }) => role))).toEqual(new Set(roles))
})

test('every granted column can be written: a row goes in, is changed, and goes', async () => {
  const faults: string[] = []
  for (const { role, name, columns } of await listTableGrants('insert')) {
    const what = `${role} insert ${name}`
    const body = await inserts[name]?.(role)
    if (!body) faults.push(`${what}: no request in this test`)
    else {
      expect(Object.keys(body).sort(), what).toEqual([...columns].sort())
      faults.push(...failed(what, await send(role, 'POST', name, body)))
    }
  }
  for (const { role, name, columns } of await listTableGrants('update')) {
    const what = `${role} update ${name}`
    const update = updates[name]
    if (!update) faults.push(`${what}: no request in this test`)
    else {
      expect(Object.keys(update.body).sort(), what).toEqual([...columns].sort())
      faults.push(...failed(what, await send(role, 'PATCH', `${name}?${update.row}`, update.body)))
    }
  }
  for (const { role, name } of await listTableGrants('delete')) {
    const what = `${role} delete ${name}`
    if (!deletes[name]) faults.push(`${what}: no request in this test`)
    else faults.push(...failed(what, await send(role, 'DELETE', `${name}?${deletes[name]}`)))
  }
  expect(faults).toEqual([])
})

test('every granted function answers', async () => {
  const { rows } = await db.query<{ role: Role; name: string; parameters: string[] }>(
    `select r.role, p.proname as name, coalesce(p.proargnames[:p.pronargs], '{}')::text[] as parameters
     from pg_proc as p
     cross join unnest($1::text[]) as r (role)
     where p.pronamespace = 'public'::regnamespace and has_function_privilege(r.role, p.oid, 'execute')
     order by p.proname, r.role`,
    [roles],
  )
  const faults: string[] = []
  for (const { role, name, parameters } of rows) {
    const what = `${role} ${name}`
    const body = await calls[name]?.(role)
    if (!body) faults.push(`${what}: no request in this test`)
    else {
      expect(Object.keys(body).sort(), what).toEqual([...parameters].sort())
      const answer = await send(role, 'POST', `rpc/${name}`, body)
      // Anonymous callers may execute the functions for signed-in users, which refuse them with a hint (ADR 25).
      if (role !== 'anon' || openToAll.has(name)) faults.push(...failed(what, answer))
      else
        expect({ what, status: answer.status, ...JSON.parse(answer.text) }).toMatchObject({
          what,
          status: 401,
          details: 'not_signed_in',
          hint: expect.stringMatching(/./),
        })
    }
  }
  expect(faults).toEqual([])
  expect(Object.keys(calls).sort()).toEqual([...new Set(rows.map(({ name }) => name))].sort())
})

test('behind each public function, the same roles may execute the function of app, and nothing else there', async () => {
  const { rows } = await db.query(
    `select r.role, n.nspname || '.' || p.proname as function
     from pg_proc as p
     join pg_namespace as n on n.oid = p.pronamespace
     cross join unnest($1::text[]) as r (role)
     where n.nspname in ('app', 'gate') and has_function_privilege(r.role, p.oid, 'execute')
       and p.proname not in ('pre_request', 'real_pre_request')
       -- Policies call these.
       and p.oid <> all (array['app.now()', 'app.is_executed()', 'app.is_result_file(text)']::regprocedure[])
       and not exists (
         select from pg_proc as w
         where w.pronamespace in ('public'::regnamespace, 'gate'::regnamespace) and w.proname = p.proname
           and has_function_privilege(r.role, w.oid, 'execute')
       )`,
    [roles],
  )
  expect(rows).toEqual([])
})

test('an API key is read by the gate as anon', async () => {
  const headers = { apikey: api.anonKey, 'x-api-key': 'plk_00000000_none' }
  const response = await fetch(`${api.url}/rest/v1/plans?select=id`, { headers })
  expect(await response.json()).toMatchObject({ code: 'PT401', details: 'api_key_unknown' })
})
