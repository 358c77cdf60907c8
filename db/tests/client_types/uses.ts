import { createClient } from '@supabase/supabase-js'
import type {
  Arguments,
  CharacterCard,
  Database,
  Drama,
  DramaInput,
  FlowInput,
  Generation,
  JobTree,
  ServiceDatabase,
  Session,
  ShareLink,
  Tables,
  TablesInsert,
  Task,
} from 'plinth/client_types'

/** A stack, and the tokens of its two users. */
export type Stack = { url: string; anonKey: string; serviceKey: string; token: string; iconId: string; photo: string }

/** A document, and the TypeScript type that it has. */
export type Recorded = { type: string; document: unknown }

export function connect(stack: Stack) {
  const { url, anonKey, serviceKey, token } = stack
  return {
    anyone: createClient<Database>(url, anonKey),
    ana: createClient<Database>(url, anonKey, { accessToken: async () => token }),
    service: createClient<ServiceDatabase>(url, serviceKey),
  }
}

export type Clients = ReturnType<typeof connect>

/** A flow as an app has it: with interfaces of its own, which have no index signature. */
interface MyNode {
  id: string
  position: { x: number; y: number }
}
interface MyAgent {
  name: string
  temperature: number
  promptMessages: { role: 'system' | 'user'; text: string }[]
}
interface MyFlow {
  name: string
  nodes: MyNode[]
  edges: { source: string; target: string }[]
  agents: { [id: string]: MyAgent }
  zoom?: number
}
interface MyCard {
  spec: string
  spec_version: string
  data: { name: string; tags: string[]; character_book: { entries: { keys: string[]; content: string }[] } }
}
interface MyExtra {
  mood: string
  colors: string[]
}

const myFlow: MyFlow = {
  name: 'Letters',
  nodes: [{ id: 'a', position: { x: 1, y: 2 } }],
  edges: [{ source: 'a', target: 'b' }],
  agents: { a: { name: 'Keeper', temperature: 0.5, promptMessages: [{ role: 'system', text: 'Be brief.' }] } },
}
const myCard: MyCard = {
  spec: 'chara_card_v2',
  spec_version: '2.0',
  data: { name: 'Mira', tags: ['sea'], character_book: { entries: [{ keys: ['lamp'], content: 'It burns.' }] } },
}

/** Uses every part of the types as an app does, and returns the documents that the stack answered. */
export async function use(stack: Stack, wait: <T>(read: () => PromiseLike<T | undefined>) => Promise<T>) {
  const clients = connect(stack)
  const recorded: Recorded[] = []
  const record = (type: string, document: unknown) => recorded.push({ type, document })
  await share(clients, stack, record)
  const runId = await writeDramas(clients, record, wait)
  await runTasks(clients, record, wait)
  await editPhotos(clients, stack, record)
  await useAccount(clients, record)
  await operate(clients, record, runId)
  return recorded
}

type Record = (type: string, document: unknown) => void

async function share({ anyone, ana }: Clients, { iconId }: Stack, record: Record): Promise<void> {
  const flow = { share_id: crypto.randomUUID(), flow: myFlow } satisfies Arguments<'share_flow'>
  const { data: link } = await anyone.rpc('share_flow', { ...flow, visibility: 'public' }).throwOnError()
  const url: string = link.url
  const expires: string = link.expires_at
  record('ShareLink', { ...link, url, expires_at: expires } satisfies ShareLink)
  const { data: opened } = await anyone
    .rpc('get_shared_resource', { share_id: flow.share_id }, { get: true })
    .throwOnError()
  if (!('nodes' in opened)) throw new Error('The flow opened as another document.')
  const temperature: number | null | undefined = opened.agents['a']?.temperature
  record('Flow', opened)
  // An app can share the document again that it has opened.
  await anyone.rpc('share_flow', { flow: opened, share_id: crypto.randomUUID() }).throwOnError()
  const least: FlowInput = { name: `Least ${temperature}`, nodes: [], edges: [] }
  await anyone.rpc('share_flow', { flow: least, share_id: crypto.randomUUID(), revoke_token: null }).throwOnError()

  const cardId = crypto.randomUUID()
  const card = { card: myCard, share_id: cardId, icon_asset_id: null, kind: 'character' } as const
  await ana.rpc('share_card', { ...card, icon_asset_id: iconId }).throwOnError()
  await ana
    .rpc('share_card', { card: { name: 'V1' }, share_id: crypto.randomUUID(), icon_asset_id: null })
    .throwOnError()
  const { data: shown } = await anyone.rpc('get_shared_resource', { share_id: cardId }, { get: true }).throwOnError()
  if (!('spec' in shown)) throw new Error('The card opened as another document.')
  const greetings: string[] = shown.data.alternate_greetings
  record('CharacterCard', { ...shown, data: { ...shown.data, alternate_greetings: greetings } } satisfies CharacterCard)

  const sessionId = crypto.randomUUID()
  const session = { title: 'Night shift', all_cards: [{ name: 'Mira', icon_asset_id: iconId }], background_id: iconId }
  await ana.rpc('share_session', { session, flow: myFlow, share_id: sessionId, visibility: 'public' }).throwOnError()
  const { data: night } = await ana.rpc('get_shared_resource', { share_id: sessionId }, { get: true }).throwOnError()
  if (!('all_cards' in night)) throw new Error('The session opened as another document.')
  const icon: string | null | undefined = night.all_cards[0]?.icon_url
  record('Session', night satisfies Session)
  const shortId = crypto.randomUUID()
  await ana.rpc('share_session', { session: { title: `Short ${icon}` }, share_id: shortId }).throwOnError()
  record('Session', (await ana.rpc('get_shared_resource', { share_id: shortId }).throwOnError()).data)

  const { data: described } = await anyone.rpc('describe_share', { share_id: sessionId }).throwOnError()
  const type: 'flow' | 'card' | 'session' = described.type
  record("Answer<'describe_share'>", { ...described, type })
  record("Answer<'describe_share'>", (await ana.rpc('describe_share', { share_id: cardId }).throwOnError()).data)
  const { data: gallery } = await anyone.rpc('list_public_shares', { page_size: 1 }).throwOnError()
  const title: string | null | undefined = gallery.shares[0]?.title
  record('PublicShareList', gallery)
  if (gallery.next !== null) await anyone.rpc('list_public_shares', { after: gallery.next }).throwOnError()
  const { data: mine } = await ana.rpc('list_shares').throwOnError()
  const visibility: 'public' | 'unlisted' | undefined = mine[0]?.visibility
  record("Answer<'list_shares'>", mine)

  const row: TablesInsert<'flows'> = { id: crypto.randomUUID(), name: 'Row', nodes: myFlow.nodes, edges: [] }
  await anyone.from('flows').insert(row).throwOnError()
  await anyone
    .from('agents')
    .insert({ flow_id: String(row.id), id: 'a', response_format: { type: 'json' } })
    .throwOnError()
  const flow_id = String(row.id)
  await anyone
    .from('data_store_nodes')
    .insert({ flow_id, id: 'd', data_store_fields: [{ name: 'x' }] })
    .throwOnError()
  await anyone.from('if_nodes').insert({ flow_id, id: 'i', conditions: null }).throwOnError()
  const scenario = { id: crypto.randomUUID(), name: 'Night', first_messages: ['Rain.'], tags: ['sea'] }
  await anyone.from('scenarios').insert(scenario).throwOnError()
  const shared = { id: crypto.randomUUID(), resource_type: 'flow', resource_id: String(row.id) } as const
  await anyone
    .from('shared_resources')
    .insert({ ...shared, visibility: 'public' })
    .throwOnError()
  const { data: rowOpened } = await anyone.rpc('get_shared_resource', { share_id: shared.id }).throwOnError()
  record('Flow', rowOpened)
  const { data: embedded } = await anyone
    .from('agents')
    .select('id, flows(name)')
    .eq('flow_id', String(row.id))
    .throwOnError()
  const name: string | undefined = embedded[0]?.flows.name
  if (name !== 'Row') throw new Error(`The agent came without its flow: ${title} ${visibility}`)
}

async function writeDramas(
  { ana }: Clients,
  record: Record,
  wait: <T>(read: () => PromiseLike<T | undefined>) => Promise<T>,
): Promise<number> {
  // The insert of the README: owner_id is the caller.
  await ana.from('dramas').insert({ premise: 'A keeper finds letters.', model: 'gemini-3-pro-preview' }).throwOnError()
  const options = { episodes: 1, scenes_per_episode: 1, characters: 1 }
  await ana.from('dramas').insert({ premise: 'A storm.', options, idempotency_key: 'storm' }).throwOnError()

  const request = { premise: 'A lamp goes out.', options: { ...options, style: 'ink' }, model: null }
  const { data: row } = await ana.rpc('generate_drama', request).throwOnError()
  const wanted: number | undefined = row.options.episodes
  record("Answer<'generate_drama'>", row)
  if (row.run_id === null || wanted !== 1) throw new Error('generate_drama started no run.')
  const runId = row.run_id
  record('JobTree', (await ana.rpc('job_tree', { job_id: runId }, { get: true }).throwOnError()).data)
  const tree = await wait(async () => {
    const { data }: { data: JobTree } = await ana.rpc('job_tree', { job_id: runId }, { get: true }).throwOnError()
    return data.finished_at === null ? undefined : data
  })
  const done: number = tree.children.filter(({ status }) => status === 'completed').length
  record('JobTree', tree)

  const { data: drama } = await ana.rpc('get_drama_complete', { drama_id: row.id }, { get: true }).throwOnError()
  const image: string | null | undefined = drama.episodes[0]?.scenes[0]?.image_url
  record('Drama', drama)
  const extra: MyExtra = { mood: `dark ${done} ${image}`, colors: ['red'] }
  const { data: saved } = await ana.rpc('save_drama_complete', { drama: { ...drama, extra } }).throwOnError()
  record('Drama', saved)
  const written: DramaInput = { title: 'By hand', episodes: [{ title: 'One', scenes: [{ text: 'Rain.', extra }] }] }
  const { data: byHand }: { data: Drama } = await ana.rpc('save_drama_complete', { drama: written }).throwOnError()
  record('Drama', byHand)
  await ana.rpc('save_drama_complete', { drama: { ...byHand, title: 'By hand, again' } }).throwOnError()

  const target = { target_id: drama.characters[0]?.id ?? '', kind: 'portrait' } as const
  const { data: first } = await ana.rpc('regenerate_asset', { ...target, prompt: null }).throwOnError()
  let again = first
  let cancelled = await ana.rpc('cancel_job', { job_id: again })
  // A worker may complete the run before the second request arrives.
  while (cancelled.error) {
    if (cancelled.error.details !== 'job_finished') throw cancelled.error
    again = (await ana.rpc('regenerate_asset', { ...target, prompt: null }).throwOnError()).data
    cancelled = await ana.rpc('cancel_job', { job_id: again })
  }
  record("Answer<'cancel_job'>", cancelled.data satisfies 'cancelled')
  const { data: retried } = await ana.rpc('retry_job', { job_id: again }).throwOnError()
  record("Answer<'retry_job'>", retried)
  const { data: list } = await ana.rpc('list_dramas', { page_size: 2 }, { get: true }).throwOnError()
  const scenes: number | undefined = list.dramas[0]?.scenes
  record('DramaList', list)
  record('DramaList', (await ana.rpc('list_dramas', { after: list.next }).throwOnError()).data)
  await ana.rpc('list_dramas', { after: null }, { get: true }).throwOnError()
  record("Answer<'get_media_limits'>", (await ana.rpc('get_media_limits').throwOnError()).data)
  const { data: parts } = await ana
    .from('scenes')
    .select('title, episodes(title)')
    .limit(scenes ?? 1)
    .throwOnError()
  const episode: string | undefined = parts[0]?.episodes.title
  const graph: string = (await ana.rpc('job_graph', { job_id: runId }).throwOnError()).data
  if (episode === undefined || graph === '') throw new Error('The scene came without its episode.')
  const { data: jobs } = await ana
    .from('jobs')
    .select('id, status, error_slug')
    .in('status', ['failed', 'completed'])
    .throwOnError()
  for (const job of jobs) job.status satisfies Tables<'jobs'>['status']
  return runId
}

async function runTasks(
  { ana }: Clients,
  record: Record,
  wait: <T>(read: () => PromiseLike<T | undefined>) => Promise<T>,
): Promise<void> {
  const mandate = 'Plan a trip in 3 ticks. Ask me to choose sea, hills or woods.'
  const { data: submitted }: { data: Task } = await ana
    .rpc('submit_task', { mandate, correlation_id: null })
    .throwOnError()
  record('Task', submitted)
  const task = await wait(async () => {
    const { data } = await ana.from('tasks').select().eq('id', submitted.id).single().throwOnError()
    return data.result?.question === undefined ? undefined : data
  })
  record('Task', task)
  const question = task.result?.question
  const choices: string[] = question?.schema !== undefined && 'enum' in question.schema ? question.schema.enum : []
  const answer = { id: task.id, tick: question?.tick ?? 0, answer: choices[1] ?? '' }
  record('Task', (await ana.rpc('answer_task', answer).throwOnError()).data)
  const finished = await wait(async () => {
    const { data } = await ana.from('tasks').select().eq('id', task.id).single().throwOnError()
    return data.status === 'completed' ? data : undefined
  })
  const calls: number | undefined = finished.usage?.calls
  record('Task', finished)
  await ana.from('tasks').insert({ mandate: 'Count to 500 in 500 ticks.', max_ticks: 1 }).throwOnError()
  const { data: other } = await ana.rpc('submit_task', { mandate: `Write ${calls} books in 500 ticks.` }).throwOnError()
  record('Task', (await ana.rpc('cancel_task', { id: other.id }).throwOnError()).data)
  await ana.from('tasks').update({ mandate: 'Write one book in 2 ticks.' }).eq('status', 'pending').throwOnError()
  record('Task', (await ana.rpc('retry_task', { id: other.id }).throwOnError()).data)
  const { data: list } = await ana.rpc('list_tasks', { limit: 2, before: null }).throwOnError()
  const status: Task['status'] | undefined = list.tasks[0]?.status
  record('TaskList', list)
  if (status === undefined) throw new Error('No task is listed.')
  await ana.from('tasks').delete().eq('id', other.id).throwOnError()
}

async function editPhotos({ ana, anyone }: Clients, { photo }: Stack, record: Record): Promise<void> {
  const { data: tools } = await anyone.from('tools').select('id, key, parameters, kind').throwOnError()
  const [image] = tools.filter(({ key }) => key === 'change_hairstyle')
  const [analysis] = tools.filter(({ kind }) => kind === 'analysis')
  const names: string[] = Object.keys(image?.parameters.properties ?? {})
  interface Wish {
    hairstyle: string
  }
  const wish: Wish = { hairstyle: `a bob ${names.length}` }
  const request = { tool_id: image?.id ?? '', original_image_storage_path: photo, tool_parameters: wish }
  const { data: asked } = await ana.rpc('process_image', { ...request, idempotency_key: null }).throwOnError()
  const status: 'pending' | 'completed' | 'failed' | 'cancelled' = asked.status
  record('Generation', { ...asked, status } satisfies Generation)
  const other = { tool_id: analysis?.id ?? '', original_image_storage_path: photo }
  record('Generation', (await ana.rpc('analyze_face', other).throwOnError()).data)
  await ana.rpc('cancel_generation', { generation_id: asked.generation_id })
  const { data: own } = await ana.from('generations').select('id, result, tool_parameters').throwOnError()
  const strength: string | number | boolean | undefined = own[0]?.tool_parameters['strength']
  await ana
    .from('generations')
    .update({ is_favourite: strength === undefined })
    .eq('id', own[0]?.id ?? '')
    .throwOnError()
  const { data: list } = await ana.rpc('list_generations', { limit: 1, favourite: true }).throwOnError()
  record('GenerationList', list)
}

async function useAccount({ ana }: Clients, record: Record): Promise<void> {
  const { data: key } = await ana.rpc('create_api_key', { name: 'script', scopes: ['read', 'write'] }).throwOnError()
  const secret: string = key.key
  record("Answer<'create_api_key'>", key)
  const { data: other } = await ana.rpc('rotate_api_key', { id: key.id, grace_seconds: 0 }).throwOnError()
  record("Answer<'rotate_api_key'>", other)
  const { data: gone } = await ana.rpc('revoke_api_key', { id: other.id }).throwOnError()
  const nothing: undefined | null = gone
  const { data: exported } = await ana.rpc('export_my_data').throwOnError()
  record('Export', { ...exported, exported_at: exported.exported_at satisfies string })
  const billing = { first_name: 'Ana', last_name: 'Berg', email: 'ana@example.com', phone: '+201000000000' }
  const order = {
    kind: 'credit_pack',
    item_id: 'small',
    billing,
    idempotency_key: `order ${secret.length} ${nothing}`,
  } as const
  record("Answer<'create_order'>", (await ana.rpc('create_order', order).throwOnError()).data)
  const { data: usage } = await ana.from('credit_usage').select('credits, reason').throwOnError()
  for (const { credits, reason } of usage) [credits satisfies number, reason satisfies string]
}

async function operate({ service }: Clients, record: Record, runId: number): Promise<void> {
  const { data: job } = await service
    .from('jobs')
    .select('owner_id, input, output')
    .eq('id', runId)
    .single()
    .throwOnError()
  const owner_id = job.owner_id ?? ''
  const { data: list } = await service.rpc('list_dramas', { owner_id }).throwOnError()
  record('DramaList', list)
  record(
    "ServiceAnswer<'adjust_credits'>",
    (
      await service
        .rpc('adjust_credits', { user_id: owner_id, amount: 5, reason: 'Welcome.', idempotency_key: 'w' })
        .throwOnError()
    ).data,
  )
  const spec = { key: 'root', type: 'group', steps: [{ key: 'a', type: 'group', on_failure: 'continue' as const }] }
  const { data: run } = await service.rpc('submit_run', { spec, owner_id, idempotency_key: null }).throwOnError()
  const id: number = run
  const named = { name: 'typed', version: '1.0.0' }
  const prompt = (semver: string) => ({
    role: 'user' as const,
    locale: null,
    storage_path: `typed/v${semver}/user.md`,
    sha256: 'b'.repeat(64),
  })
  const version = (semver: string) => ({
    kind: 'main',
    locale: null,
    storage_path: `typed/v${semver}/main.md`,
    sha256: 'a'.repeat(64),
    size_bytes: 7 + id * 0,
    content_type: 'text/markdown',
  })
  for (const semver of ['1.0.0', '1.1.0']) {
    const published = {
      ...named,
      version: semver,
      artifacts: [version(semver)],
      prompts: [prompt(semver)],
      set_default: true,
    }
    record(
      "ServiceAnswer<'publish_template_version'>",
      (await service.rpc('publish_template_version', published).throwOnError()).data,
    )
  }
  record("ServiceAnswer<'set_default_version'>", (await service.rpc('set_default_version', named).throwOnError()).data)
  const channel = { name: 'typed', channel: 'beta', weights: { '1.1.0': 100 } }
  record(
    "ServiceAnswer<'set_template_channel'>",
    (await service.rpc('set_template_channel', channel).throwOnError()).data,
  )
  record(
    'TemplateManifest',
    (await service.rpc('template_manifest', { name: 'typed', locale: 'en' }).throwOnError()).data,
  )
  const dramas = { owner_id, premise: 'From a server.' }
  await service.from('dramas').insert(dramas).throwOnError()
  await service
    .from('colors')
    .upsert({ key: 'typed', name: 'Typed', category: 'test', hex: '#000000', prompt: 'black' }, { onConflict: 'key' })
    .throwOnError()
  const pack = { id: 'typed', name: 'Typed', credits: 1, price_minor: 100, currency: 'EGP' }
  for (const name of ['Typed', 'Renamed'])
    await service
      .from('credit_packs')
      .upsert({ ...pack, name })
      .throwOnError()
  await service.from('colors').update({ enabled: false }).eq('key', 'typed').throwOnError()
}
