import { createServer } from 'node:http'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'

/**
 * The origin's backend (origin 000, section 3) with the origin's code: five requests, one after the other, and a package
 * that is reduced with spreads. Only the framework is missing, which makes the origin faster: node:http does the routing.
 * Runs as a process; `BACKEND_PORT`, `POSTGREST_URL` and `SUPABASE_ANON_KEY` come from the environment.
 */

class NotFoundException extends Error {}
class BadRequestException extends Error {}

class SharedResourcesController {
  private readonly supabase: SupabaseClient

  constructor(supabase: SupabaseClient) {
    this.supabase = supabase
  }

  async getSharedResource(shareId: string) {
    // 1. Get shared resource record
    const { data: sharedResource, error: shareError } = await this.supabase
      .from('shared_resources')
      .select('*')
      .eq('id', shareId)
      .single()

    if (shareError || !sharedResource) {
      throw new NotFoundException('Shared resource not found or expired')
    }

    // 2. Check expiration
    if (new Date(sharedResource.expires_at) < new Date()) {
      throw new NotFoundException('Shared resource has expired')
    }

    // 3. Reconstruct based on resource type
    switch (sharedResource.resource_type) {
      case 'flow':
        return this.reconstructFlow(sharedResource.resource_id)
      default:
        throw new BadRequestException('Unknown resource type')
    }
  }

  private async reconstructFlow(flowId: string) {
    // 1. Get flow
    const { data: flow } = await this.supabase.from('flows').select('*').eq('id', flowId).single()

    // 2. Get related entities
    const { data: agents } = await this.supabase.from('agents').select('*').eq('flow_id', flowId)

    const { data: dataStoreNodes } = await this.supabase.from('data_store_nodes').select('*').eq('flow_id', flowId)

    const { data: ifNodes } = await this.supabase.from('if_nodes').select('*').eq('flow_id', flowId)

    if (!agents || !dataStoreNodes || !ifNodes) throw new Error('A request failed') // the origin: a TypeError

    // 3. Reconstruct enhanced format
    return {
      name: flow.name,
      description: flow.description,
      nodes: flow.nodes,
      edges: flow.edges,
      responseTemplate: flow.response_template,
      agents: agents.reduce(
        (acc, agent) => ({
          // biome-ignore lint/performance/noAccumulatingSpread: the origin's code, unchanged
          ...acc,
          [agent.id]: {
            name: agent.name,
            promptMessages: agent.prompt_messages,
            modelTier: agent.model_tier,
            temperature: agent.temperature,
            maxTokens: agent.max_tokens,
            topP: agent.top_p,
            frequencyPenalty: agent.frequency_penalty,
            presencePenalty: agent.presence_penalty,
            responseFormat: agent.response_format,
          },
        }),
        {},
      ),
      dataStoreNodes: dataStoreNodes.reduce(
        (acc, node) => ({
          // biome-ignore lint/performance/noAccumulatingSpread: the origin's code, unchanged
          ...acc,
          [node.id]: {
            name: node.name,
            color: node.color,
            dataStoreFields: node.data_store_fields,
          },
        }),
        {},
      ),
      ifNodes: ifNodes.reduce(
        (acc, node) => ({
          // biome-ignore lint/performance/noAccumulatingSpread: the origin's code, unchanged
          ...acc,
          [node.id]: {
            name: node.name,
            conditions: node.conditions,
          },
        }),
        {},
      ),
    }
  }
}

const postgrestUrl = process.env['POSTGREST_URL'] ?? ''
const supabase = createClient(postgrestUrl, process.env['SUPABASE_ANON_KEY'] ?? '', {
  // Straight to PostgREST, like the load on Plinth: a gateway would only slow the origin down.
  global: { fetch: (input, init) => fetch(String(input).replace('/rest/v1/', '/'), init) },
})
const controller = new SharedResourcesController(supabase)

const server = createServer(async (request, response) => {
  const shareId = /^\/api\/shared\/([^/?]+)$/.exec(request.url ?? '')?.[1]
  try {
    if (request.method !== 'GET' || !shareId) throw new NotFoundException(`Cannot ${request.method} ${request.url}`)
    const body = JSON.stringify(await controller.getSharedResource(shareId))
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
    })
    response.end(body)
  } catch (error) {
    const status = error instanceof NotFoundException ? 404 : error instanceof BadRequestException ? 400 : 500
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
    response.end(JSON.stringify({ statusCode: status, message: (error as Error).message }))
  }
})
server.listen(Number(process.env['BACKEND_PORT']), '127.0.0.1')
