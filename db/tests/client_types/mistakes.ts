import type { SupabaseClient } from '@supabase/supabase-js'
import type { Database, Flow, TablesInsert } from 'plinth/client_types'
import type { Clients } from './uses.ts'

/** A mistake that the compiler finds, and the code or slug with which the stack refuses it. */
export type Mistake = [refusal: string, make: () => PromiseLike<{ error: { code: string; details: string } | null }>]

const id = crypto.randomUUID()
const flow = { name: 'Letters', nodes: [], edges: [] }
const share = { share_id: id, flow }
const row = { resource_type: 'flow' as const, resource_id: id }
const photo = { tool_id: id, original_image_storage_path: `${id}/photo.jpg` }
const card = { share_id: id, card: { name: 'Mira' } }
const billing = { first_name: 'Ana', last_name: 'Berg', email: 'ana@example.com', phone: '+201000000000' }
const order = { item_id: 'small', billing, idempotency_key: 'k' }
const { email: _, ...anonymous } = billing
interface NotAFlow {
  title: string
}
const notAFlow: NotAFlow = { title: 'Letters' }

/** Each comment names the error that the next line has: client_types.long.test.ts compares. */
export function listMistakes({ ana, anyone, service }: Clients): Mistake[] {
  return [
    // Tables
    // @ts-expect-error TS2322: the owner is the caller, and no client may set the column
    ['42501', () => ana.from('dramas').insert({ premise: 'p', owner_id: id })],
    // @ts-expect-error TS2353: a misspelt column
    ['PGRST204', () => ana.from('dramas').insert({ premisse: 'p' })],
    // @ts-expect-error TS2345 or TS2769: a drama is generated from its premise
    ['premise_invalid', () => ana.from('dramas').insert({ model: 'gemini-3-pro-preview' })],
    // @ts-expect-error TS2322: a generated column
    ['428C9', () => anyone.from('flows').insert({ ...flow, id, size_bytes: 1 })],
    // @ts-expect-error TS2345: nodes and edges are required
    ['23502', () => anyone.from('flows').insert({ id, name: 'Letters' })],
    // @ts-expect-error TS2353: only functions write API keys
    ['write_not_allowed', () => ana.from('api_keys').insert({ name: 'key' })],
    // @ts-expect-error TS2345: no client may update dramas
    ['write_not_allowed', () => ana.from('dramas').update({ title: 'Mine' }).eq('id', id)],
    // @ts-expect-error TS2353: of a task a client may change mandate and max_ticks
    ['42501', () => ana.from('tasks').update({ status: 'completed' }).eq('id', id)],
    // @ts-expect-error TS2322: no such type of resource
    ['resource_type_unknown', () => anyone.from('shared_resources').insert({ ...row, resource_type: 'card' })],
    // @ts-expect-error TS2322: no such visibility
    ['visibility_unknown', () => anyone.from('shared_resources').insert({ ...row, visibility: 'privat' })],
    // @ts-expect-error TS2345: no such status
    ['', () => ana.from('jobs').select('id').eq('status', 'complete')],
    // @ts-expect-error TS2769: no such table
    ['42P01', () => ana.from('characers').select('id')],
    // @ts-expect-error TS2345 or TS2769: a server inserts a drama for an owner
    ['owner_missing', () => service.from('dramas').insert({ premise: 'p' })],
    // @ts-expect-error TS2345 or TS2769: a server inserts a task for a user
    ['owner_missing', () => service.from('tasks').insert({ mandate: 'm' })],
    // @ts-expect-error TS2353: of a generation a client may change is_favourite
    ['42501', () => ana.from('generations').update({ status: 'completed' }).eq('id', id)],
    // @ts-expect-error TS2345: the status of a run belongs to the engine
    ['write_not_allowed', () => ana.from('runs').update({ status: 'completed' }).eq('id', id)],

    // @ts-expect-error TS2345 or TS2322: an id of the client makes a repetition safe
    ['id_missing', () => anyone.from('flows').insert(flow)],

    // Functions
    // @ts-expect-error TS2345 or TS2741: share_id is required
    ['share_id_missing', () => anyone.rpc('share_flow', { flow })],
    // @ts-expect-error TS2739: an interface without name, nodes and edges
    ['flow_invalid', () => anyone.rpc('share_flow', { flow: notAFlow, share_id: id })],
    // @ts-expect-error TS2741: a flow without nodes
    ['flow_invalid', () => anyone.rpc('share_flow', { flow: { name: 'x', edges: [] }, share_id: id })],
    // @ts-expect-error TS2322: no such visibility
    ['visibility_unknown', () => anyone.rpc('share_flow', { ...share, visibility: 'privat' })],
    // @ts-expect-error TS2322: share_id may not be null
    ['share_id_missing', () => anyone.rpc('share_flow', { flow, share_id: null })],
    // @ts-expect-error TS2322: no such kind of card
    ['card_kind_unknown', () => anyone.rpc('share_card', { ...card, kind: 'person' })],
    // @ts-expect-error TS2353: a card needs a name
    ['card_invalid', () => anyone.rpc('share_card', { card: { title: 'Mira' }, share_id: id })],
    // @ts-expect-error TS2740: cards are a list
    ['session_invalid', () => anyone.rpc('share_session', { session: { all_cards: {} }, share_id: id })],
    // @ts-expect-error TS2345 or TS2741: premise is required
    ['PGRST202', () => ana.rpc('generate_drama', { model: 'gemini-3-pro-preview' })],
    // @ts-expect-error TS2322: an option of the wrong type
    ['options_invalid', () => ana.rpc('generate_drama', { premise: 'p', options: { episodes: '3' } })],
    // @ts-expect-error TS2322: no such kind
    ['asset_kind_unknown', () => ana.rpc('regenerate_asset', { target_id: id, kind: 'picture' })],
    // @ts-expect-error TS2322: a title is a text
    ['drama_invalid', () => ana.rpc('save_drama_complete', { drama: { title: 1 } })],
    // @ts-expect-error TS2820: no such scope
    ['api_key_invalid', () => ana.rpc('create_api_key', { name: 'key', scopes: ['wirte'] })],
    // @ts-expect-error TS2322: no such kind of order
    ['order_kind_unknown', () => ana.rpc('create_order', { ...order, kind: 'gift' })],
    // @ts-expect-error TS2741: Paymob demands an e-mail address
    ['billing_invalid', () => ana.rpc('create_order', { ...order, kind: 'plan', billing: anonymous })],
    // @ts-expect-error TS2322: JSON has no bigint
    ['', () => ana.rpc('answer_task', { id, tick: 1, answer: 10n })],
    // @ts-expect-error TS2322: no such locale
    ['template_not_found', () => ana.rpc('template_manifest', { name: 'none', locale: 'de' })],
    // @ts-expect-error TS2322: parameters are an object
    ['tool_not_found', () => ana.rpc('process_image', { ...photo, tool_parameters: 'bold' })],
    // @ts-expect-error TS2345: only servers submit runs
    ['42501', () => ana.rpc('submit_run', { spec: { key: 'a', type: 'group' } })],
    // @ts-expect-error TS2345 or TS2741: servers name the owner
    ['owner_missing', () => service.rpc('list_dramas', { page_size: 3 })],
    // @ts-expect-error TS2741: a step needs a type
    ['step_invalid', () => service.rpc('submit_run', { spec: { key: 'a' } })],
    // @ts-expect-error TS2345: only users export their data
    ['42501', () => service.rpc('export_my_data')],
  ]
}

/** Mistakes in the use of an answer, which no server refuses. */
export async function misread(ana: SupabaseClient<Database>): Promise<void> {
  const { data: shared } = await ana.rpc('get_shared_resource', { share_id: id }).throwOnError()
  // @ts-expect-error TS2339: the document may be a card
  shared.name
  const { data: tree } = await ana.rpc('job_tree', { job_id: 1 }).throwOnError()
  // @ts-expect-error TS2551: misspelt
  tree.childern
  // @ts-expect-error TS18047: most steps have no error
  tree.error.slug
  // @ts-expect-error TS2367: no such status
  tree.status === 'complete'
  const { data: list } = await ana.rpc('list_dramas').throwOnError()
  // @ts-expect-error TS2532: the list may be empty
  list.dramas[0].title
  // @ts-expect-error TS1360: the last page has no next
  list.next satisfies string
  const { data: job } = await ana.from('jobs').select('id, input').single().throwOnError()
  // @ts-expect-error TS2339: no client may read the input of a job
  job.input
  const { data: drama } = await ana.from('dramas').select().single().throwOnError()
  // @ts-expect-error TS1360: a drama that was only saved has no run
  drama.run_id satisfies number
  // @ts-expect-error TS2739: a flow that was opened has all fields
  const opened: Flow = flow
  // @ts-expect-error TS2322: no row of this table may be inserted
  const inserted: TablesInsert<'jobs'> = {}
  console.log(opened, inserted)
}
