import type { SupabaseClient } from '@supabase/supabase-js'
import type { Flow } from './sample_flow.ts'

/**
 * The origin's client code that shares a flow (origin 000, section 2), unchanged, from the exported flow on. The ids are
 * parameters, so that a recording of its requests can be repeated with other ids.
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
    // biome-ignore lint/suspicious/noExplicitAny: the origin's code, unchanged
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
    // biome-ignore lint/suspicious/noExplicitAny: the origin's code, unchanged
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
    // biome-ignore lint/suspicious/noExplicitAny: the origin's code, unchanged
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

/** The origin's client code that shares a card (origin 000, section 2), from the exported card and its icon's file on. */
export async function shareCard(
  supabase: SupabaseClient,
  backendUrl: string,
  // biome-ignore lint/suspicious/noExplicitAny: the origin's code, unchanged
  cardData: any,
  assetFile: File | null,
): Promise<string> {
  // 2. Upload icon asset (if exists)
  let iconAssetId: string | null = null

  if (assetFile) {
    // Upload to backend API (can't upload to DO directly)
    const formData = new FormData()
    formData.append('file', assetFile)

    const response = await fetch(`${backendUrl}/api/assets`, {
      method: 'POST',
      body: formData,
    })

    const { assetId } = (await response.json()) as { assetId: string }
    iconAssetId = assetId
  }

  // 3. Generate UUIDs
  const shareId = crypto.randomUUID()
  const characterDbId = crypto.randomUUID()

  // 4. Write character to Supabase (direct insert)
  const { error: charError } = await supabase.from('characters').insert({
    id: characterDbId,
    title: cardData.data.extensions.title,
    name: cardData.data.name,
    description: cardData.data.description,
    example_dialogue: cardData.data.mes_example,
    lorebook: cardData.data.character_book,
    tags: cardData.data.tags,
    creator: cardData.data.creator,
    version: cardData.data.character_version,
    card_summary: cardData.data.creator_notes,
    conceptual_origin: cardData.data.extensions.conceptualOrigin,
    icon_asset_id: iconAssetId, // ✅ Asset ID (or null)
  })

  if (charError) {
    throw new Error(`Failed to insert character: ${charError.message}`)
  }

  // 5. Create shared_resources entry
  const expiresAt = new Date(Date.now() + 60 * 60 * 1000)

  const { error: shareError } = await supabase.from('shared_resources').insert({
    id: shareId,
    resource_type: 'card_character',
    resource_id: characterDbId,
    expires_at: expiresAt.toISOString(),
  })

  if (shareError) {
    throw new Error(`Failed to create share: ${shareError.message}`)
  }

  // 6. Return shareable URL
  return `https://harpy.chat/cards/detail/${shareId}`
}

/**
 * The origin's client code that shares a session (origin 000, section 2), from the stored session and the files of its
 * local asset ids on.
 */
export async function shareSession(
  supabase: SupabaseClient,
  backendUrl: string,
  // biome-ignore lint/suspicious/noExplicitAny: the origin's code, unchanged
  sessionJson: any,
  files: Record<string, File>,
): Promise<string> {
  // 2. Upload all assets to backend
  const assetIds: Record<string, string> = {} // localAssetId → dbAssetId

  for (const [localAssetId, file] of Object.entries(files)) {
    const formData = new FormData()
    formData.append('file', file)

    const response = await fetch(`${backendUrl}/api/assets`, { method: 'POST', body: formData })

    const { assetId } = (await response.json()) as { assetId: string }
    assetIds[localAssetId] = assetId
  }

  // 3. Generate UUIDs
  const shareId = crypto.randomUUID()
  const sessionDbId = crypto.randomUUID()

  // 4. Write session to Supabase
  const { error: sessionError } = await supabase.from('sessions').insert({
    id: sessionDbId,
    title: sessionJson.title,
    // biome-ignore lint/suspicious/noExplicitAny: the origin's code, unchanged
    all_cards: sessionJson.all_cards.map((card: any) => ({
      ...card,
      icon_asset_id: card.icon_asset_id ? assetIds[card.icon_asset_id] : null,
    })),
    user_character_card_id: sessionJson.user_character_card_id,
    turn_ids: sessionJson.turn_ids,
    background_id: sessionJson.background_id ? assetIds[sessionJson.background_id] : null,
    cover_id: sessionJson.cover_id ? assetIds[sessionJson.cover_id] : null,
    translation: sessionJson.translation,
    chat_styles: sessionJson.chat_styles,
    flow_id: sessionJson.flow_id, // ✅ Reference to flow
  })

  if (sessionError) {
    throw new Error(`Failed to insert session: ${sessionError.message}`)
  }

  // 5. Create shared_resources entry
  const expiresAt = new Date(Date.now() + 60 * 60 * 1000)

  const { error: shareError } = await supabase.from('shared_resources').insert({
    id: shareId,
    resource_type: 'session',
    resource_id: sessionDbId,
    expires_at: expiresAt.toISOString(),
  })

  if (shareError) {
    throw new Error(`Failed to create share: ${shareError.message}`)
  }

  // 6. Return shareable URL
  return `https://harpy.chat/sessions/detail/${shareId}`
}
