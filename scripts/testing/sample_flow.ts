/** A flow in the origin's enhanced format, as the editor exports it. */
export type Flow = {
  name: string
  description: string
  nodes: unknown[]
  edges: unknown[]
  responseTemplate: string
  agents: Record<string, Agent>
  dataStoreNodes: Record<string, unknown>
  ifNodes: Record<string, unknown>
}

type Agent = { promptMessages: { blocks: { text: string }[] }[] }

/**
 * Makes a flow of six agents, three data stores and three if-nodes whose JSON has exactly `bytes` bytes. The same `number`
 * gives the same texts; node ids are new each time, because the origin's are unique in their whole table.
 */
export function sampleFlow(number: number, bytes = 20_480): Flow {
  const words = wordsFrom(number)
  const agentIds = makeIds(6)
  const storeIds = makeIds(3)
  const ifIds = makeIds(3)
  const ids = ['start', ...agentIds, ...storeIds, ...ifIds, 'end']
  const types = [
    'start',
    ...agentIds.map(() => 'agent'),
    ...storeIds.map(() => 'dataStore'),
    ...ifIds.map(() => 'if'),
    'end',
  ]
  const flow: Flow = {
    name: `Flow ${number}`,
    description: words(25),
    nodes: ids.map((id, index) => ({
      id,
      type: types[index],
      position: { x: 320 * index, y: 40 * (index % 4) },
      data: { nodeId: id, collapsed: false },
    })),
    edges: ids.slice(1).map((target, index) => ({
      id: `edge-${index}`,
      source: ids[index],
      target,
      sourceHandle: `${ids[index]}-out`,
      label: { text: `step ${index + 1}` },
    })),
    responseTemplate: '{{writer.response}}\n\n---\n{{#if mood}}Mood: {{mood}}{{/if}}',
    agents: keyed(agentIds, (index) => ({
      name: `Agent ${index + 1}`,
      promptMessages: [
        { id: `${index}-system`, role: 'system', enabled: true, blocks: [{ type: 'plain', text: words(150) }] },
        {
          id: `${index}-history`,
          role: 'user',
          enabled: true,
          blocks: [{ type: 'history', text: '{{turn.content}}' }],
        },
        { id: `${index}-closing`, role: 'user', enabled: true, blocks: [{ type: 'plain', text: words(60) }] },
      ],
      modelTier: index % 2 === 0 ? 'heavy' : 'light',
      temperature: 0.7,
      maxTokens: 2048,
      topP: 0.95,
      frequencyPenalty: 0,
      presencePenalty: 0.25,
      responseFormat: { type: 'json_schema', schema: { type: 'object', required: ['response'] } },
    })),
    dataStoreNodes: keyed(storeIds, (index) => ({
      name: `Store ${index + 1}`,
      color: '#3B82F6',
      dataStoreFields: ['mood', 'place', 'summary'].map((name) => ({
        name,
        type: 'string',
        logic: '',
        initial: words(6),
      })),
    })),
    ifNodes: keyed(ifIds, (index) => ({
      name: `If ${index + 1}`,
      conditions: ['mood', 'place'].map((field) => ({
        field,
        operator: 'contains',
        value: 'night',
        next: agentIds[index],
      })),
    })),
  }
  fill(flow, bytes - JSON.stringify(flow).length, words)
  return flow
}

/** Makes the JSON of a flow `missing` bytes longer, in its system prompts. */
function fill(flow: Flow, missing: number, words: (count: number) => string): void {
  if (missing < 0) throw new Error(`The sample flow is ${-missing} bytes too long`)
  const blocks = Object.values(flow.agents).flatMap((agent) => agent.promptMessages[0]?.blocks[0] ?? [])
  const share = Math.ceil(missing / blocks.length)
  let left = missing
  for (const block of blocks) {
    block.text += ` ${words(share)}`.slice(0, Math.min(share, left))
    left -= Math.min(share, left)
  }
}

function makeIds(count: number): string[] {
  return Array.from({ length: count }, () => crypto.randomUUID())
}

function keyed<T>(ids: string[], make: (index: number) => T): Record<string, T> {
  return Object.fromEntries(ids.map((id, index) => [id, make(index)]))
}

const vocabulary = (
  'the a of and in with she he they night morning city river voice story character speaks softly remembers answers ' +
  'describe scene never always keep short vivid sentence dialogue mood place weather secret letter door window garden ' +
  'winter ship captain queen stranger promise quiet bright strange old young return write respond json only language ' +
  'style tone reader detail action thought feeling between under behind before after'
).split(' ')

/** Makes text that looks like English, the same for the same number. */
function wordsFrom(number: number): (count: number) => string {
  let state = (number * 2_654_435_761 + 1) >>> 0
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  return (count) => Array.from({ length: count }, () => vocabulary[Math.floor(next() * vocabulary.length)]).join(' ')
}
