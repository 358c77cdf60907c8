import { escapeHtml } from '../escape_html.ts'

/** The answer of describe_share. */
export type ShareDescription = {
  share_id: string
  type: string
  kind: string | null
  title: string | null
  icon_url: string | null
  created_at: string
  expires_at: string
}

type Fields = Record<string, unknown>

/** Renders the content of a share as HTML. All texts are from strangers, so each is escaped. */
export function renderShare(share: ShareDescription, content: unknown): string {
  const fields = asFields(content)
  const parts =
    share.type === 'flow' ? renderFlow(fields) : share.type === 'session' ? renderSession(fields) : renderCard(fields)
  const icon = share.icon_url ? [`<p><img src="${escapeHtml(share.icon_url)}" alt=""></p>`] : []
  return [
    `<p class="meta">A shared ${escapeHtml(share.kind ?? share.type)}, until ${formatTime(share.expires_at)}.</p>`,
    ...icon,
    ...parts,
    '<h2>For programs</h2>',
    `<p class="text">supabase.rpc('get_shared_resource', { share_id: '${escapeHtml(share.share_id)}' })</p>`,
    `<details><summary>The whole share as JSON</summary><pre>${escapeHtml(JSON.stringify(content, null, 2))}</pre></details>`,
  ].join('\n')
}

function renderFlow(flow: Fields): string[] {
  const nodes = [...listValues(flow['agents']), ...listValues(flow['dataStoreNodes']), ...listValues(flow['ifNodes'])]
  return [
    ...section('Description', flow['description']),
    ...section('Agents', listNames(flow['agents'])),
    ...section('Data stores', listNames(flow['dataStoreNodes'])),
    ...section('Conditions', listNames(flow['ifNodes'])),
    ...section('Response', flow['responseTemplate']),
    ...(nodes.length === 0 ? ['<p>The flow has no agents yet.</p>'] : []),
  ]
}

function renderCard(card: Fields): string[] {
  const data = asFields(card['data'])
  return [
    ...section('Name', data['name']),
    ...section('Description', data['description']),
    ...section('Personality', data['personality']),
    ...section('Scenario', data['scenario']),
    ...section('First message', data['first_mes']),
    ...section('Other greetings', listTexts(data['alternate_greetings']).join('\n\n')),
    ...section('Example messages', data['mes_example']),
    ...section('Notes of the creator', data['creator_notes']),
    ...section('Tags', listTexts(data['tags']).join(', ')),
    ...section('Creator', data['creator']),
  ]
}

function renderSession(session: Fields): string[] {
  const cards = Array.isArray(session['all_cards']) ? session['all_cards'].map(asFields) : []
  const names = cards.map((card) => asFields(card['data'])['name'] ?? card['name'] ?? card['title'] ?? 'a card')
  const turns = Array.isArray(session['turn_ids']) ? session['turn_ids'].length : 0
  return [
    ...section('Cards', names.map(String).join('\n')),
    ...section('Turns', String(turns)),
    ...section('Flow', asFields(session['flow'])['name']),
  ]
}

function section(heading: string, value: unknown): string[] {
  if (typeof value !== 'string' || value.trim() === '') return []
  return [`<h2>${heading}</h2>`, `<p class="text">${escapeHtml(value)}</p>`]
}

function listNames(nodes: unknown): string {
  return listValues(nodes)
    .map((node) => node['name'] ?? 'without a name')
    .map(String)
    .join('\n')
}

function listValues(nodes: unknown): Fields[] {
  return Object.values(asFields(nodes)).map(asFields)
}

function listTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : []
}

function asFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

function formatTime(text: string): string {
  const time = new Date(text)
  return Number.isNaN(time.getTime()) ? escapeHtml(text) : `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
