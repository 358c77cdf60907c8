import type { SupabaseClient } from '@supabase/supabase-js'
import type { Flow } from './sample_flow.ts'

/**
 * The seed's client code for sharing a flow (seed 000, section 2), as the seed has it, from an exported flow on. The ids
 * are given instead of made, so that a recording of its requests can be repeated with others.
 */
export async function shareFlow(
  supabase: SupabaseClient,
  flowData: Flow,
  shareId: string = crypto.randomUUID(),
  flowDbId: string = crypto.randomUUID(),
): Promise<string> {
  // 3. Write flow to Supabase (direct insert)
  const { error: flowError } = await supabase.from('flows').insert({
    id: flowDbId,
    name: flowData.name,
    description: flowData.description,
    nodes: flowData.nodes,
    edges: flowData.edges,
    response_template: flowData.responseTemplate,
  })

  if (flowError) {
    throw new Error(`Failed to insert flow: ${flowError.message}`)
  }

  // 4. Write agents to Supabase
  const agentInserts = Object.entries(flowData.agents || {}).map(
    // biome-ignore lint/suspicious/noExplicitAny: the seed's code, as it is
    ([agentId, agentData]: [string, any]) => ({
      id: agentId,
      flow_id: flowDbId,
      name: agentData.name,
      prompt_messages: agentData.promptMessages,
      model_tier: agentData.modelTier,
      temperature: agentData.temperature,
      max_tokens: agentData.maxTokens,
      top_p: agentData.topP,
      frequency_penalty: agentData.frequencyPenalty,
      presence_penalty: agentData.presencePenalty,
      response_format: agentData.responseFormat,
    }),
  )

  const { error: agentsError } = await supabase.from('agents').insert(agentInserts)

  if (agentsError) {
    throw new Error(`Failed to insert agents: ${agentsError.message}`)
  }

  // 5. Write dataStoreNodes to Supabase
  const dsInserts = Object.entries(flowData.dataStoreNodes || {}).map(
    // biome-ignore lint/suspicious/noExplicitAny: the seed's code, as it is
    ([nodeId, nodeData]: [string, any]) => ({
      id: nodeId,
      flow_id: flowDbId,
      name: nodeData.name,
      color: nodeData.color,
      data_store_fields: nodeData.dataStoreFields,
    }),
  )

  if (dsInserts.length > 0) {
    const { error: dsError } = await supabase.from('data_store_nodes').insert(dsInserts)

    if (dsError) {
      throw new Error(`Failed to insert dataStoreNodes: ${dsError.message}`)
    }
  }

  // 6. Write ifNodes to Supabase
  const ifInserts = Object.entries(flowData.ifNodes || {}).map(
    // biome-ignore lint/suspicious/noExplicitAny: the seed's code, as it is
    ([nodeId, nodeData]: [string, any]) => ({
      id: nodeId,
      flow_id: flowDbId,
      name: nodeData.name,
      conditions: nodeData.conditions,
    }),
  )

  if (ifInserts.length > 0) {
    const { error: ifError } = await supabase.from('if_nodes').insert(ifInserts)

    if (ifError) {
      throw new Error(`Failed to insert ifNodes: ${ifError.message}`)
    }
  }

  // 7. Create shared_resources entry
  const expiresAt = new Date(Date.now() + 60 * 60 * 1000) // 1 hour

  const { error: shareError } = await supabase.from('shared_resources').insert({
    id: shareId,
    resource_type: 'flow',
    resource_id: flowDbId,
    expires_at: expiresAt.toISOString(),
  })

  if (shareError) {
    throw new Error(`Failed to create share: ${shareError.message}`)
  }

  // 8. Return shareable URL
  return `https://harpy.chat/flows/detail/${shareId}`
}
