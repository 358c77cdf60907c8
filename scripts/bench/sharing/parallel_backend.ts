import { Agent, createServer, get } from 'node:http'

/**
 * A tuned variant of the origin's backend: the same five requests by plain HTTP over kept connections, four of them in
 * parallel. Measured without a bar. Same environment as `origin_backend.ts`.
 */

type Row = Record<string, unknown> & { id: string }

const postgrestUrl = process.env['POSTGREST_URL'] ?? ''
const anonKey = process.env['SUPABASE_ANON_KEY'] ?? ''
const agent = new Agent({ keepAlive: true, maxSockets: 80 })
const headers = { apikey: anonKey, authorization: `Bearer ${anonKey}` }

function select(table: string, column: string, value: string): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    get(`${postgrestUrl}/${table}?select=*&${column}=eq.${value}`, { agent, headers, timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        if (response.statusCode === 200) resolve(JSON.parse(text))
        else reject(new Error(`PostgREST answered ${response.statusCode}: ${text}`))
      })
    }).on('error', reject)
  })
}

async function getSharedResource(shareId: string): Promise<unknown> {
  const [share] = await select('shared_resources', 'id', shareId)
  if (!share) return undefined
  const flowId = String(share['resource_id'])
  const [[flow], agents, dataStoreNodes, ifNodes] = await Promise.all([
    select('flows', 'id', flowId),
    select('agents', 'flow_id', flowId),
    select('data_store_nodes', 'flow_id', flowId),
    select('if_nodes', 'flow_id', flowId),
  ])
  if (!flow) return undefined
  return {
    name: flow['name'],
    description: flow['description'],
    nodes: flow['nodes'],
    edges: flow['edges'],
    responseTemplate: flow['response_template'],
    agents: byId(agents, (row) => ({
      name: row['name'],
      promptMessages: row['prompt_messages'],
      modelTier: row['model_tier'],
      temperature: row['temperature'],
      maxTokens: row['max_tokens'],
      topP: row['top_p'],
      frequencyPenalty: row['frequency_penalty'],
      presencePenalty: row['presence_penalty'],
      responseFormat: row['response_format'],
    })),
    dataStoreNodes: byId(dataStoreNodes, (row) => ({
      name: row['name'],
      color: row['color'],
      dataStoreFields: row['data_store_fields'],
    })),
    ifNodes: byId(ifNodes, (row) => ({ name: row['name'], conditions: row['conditions'] })),
  }
}

function byId(rows: Row[], make: (row: Row) => unknown): Record<string, unknown> {
  return Object.fromEntries(rows.map((row) => [row.id, make(row)]))
}

const server = createServer(async (request, response) => {
  const shareId = /^\/api\/shared\/([^/?]+)$/.exec(request.url ?? '')?.[1]
  const found = shareId ? await getSharedResource(shareId).catch((error: Error) => error) : undefined
  const status = found === undefined ? 404 : found instanceof Error ? 500 : 200
  const body = JSON.stringify(found instanceof Error ? { message: found.message } : (found ?? {}))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
})
server.listen(Number(process.env['BACKEND_PORT']), '127.0.0.1')
