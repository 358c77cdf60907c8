import { createClient } from '@supabase/supabase-js'
import type { Database, ServiceDatabase } from '../../db/client_types.ts'
import { must, type Stage, timed } from './act.ts'

/** Shows what the studio offers and what a user sees of credits, and exports the user's data. */
export async function showCatalogue({ url, anonKey, env, tokenFor, step }: Stage): Promise<void> {
  const anyone = createClient<Database>(url, anonKey)
  const operator = createClient<ServiceDatabase>(url, env['SUPABASE_SERVICE_ROLE_KEY'] ?? '')
  const token = await tokenFor('ana@example.com')
  const ana = createClient<Database>(url, anonKey, { accessToken: async () => token })

  const offered = await timed(async () => {
    const [plans, packs, tools, hairstyles, colors] = await Promise.all([
      anyone.from('plans').select('id, price_minor, currency').eq('enabled', true).order('sort').throwOnError(),
      anyone.from('credit_packs').select('id').eq('enabled', true).throwOnError(),
      anyone.from('tools').select('key, kind, cost').eq('enabled', true).order('sort').throwOnError(),
      anyone.from('hairstyles').select('key').eq('enabled', true).throwOnError(),
      anyone.from('colors').select('key').eq('enabled', true).throwOnError(),
    ])
    return { plans: plans.data, packs: packs.data, tools: tools.data, hairstyles: hairstyles.data, colors: colors.data }
  })
  const { plans, packs, tools, hairstyles, colors } = offered.value
  must(tools.length > 0 && hairstyles.length > 0 && colors.length > 0, 'the catalogue is empty')
  step(
    `Anyone reads the catalogue: ${tools.length} tools, ${hairstyles.length} hairstyles, ${colors.length} colors`,
    offered.ms,
  )
  const prices = plans.map(({ id, price_minor, currency }) => `${id} ${(price_minor / 100).toFixed(2)} ${currency}`)
  step(`  ${packs.length} credit packs, ${plans.length} plans: ${prices.join(', ')}`)

  const [tool] = tools
  const key = tool?.key ?? ''
  const disable = (enabled: boolean) => operator.from('tools').update({ enabled }).eq('key', key).throwOnError()
  const disabled = await timed(() => disable(false))
  const seen = await anyone.from('tools').select('enabled').eq('key', key).single().throwOnError()
  await disable(true)
  must(seen.data.enabled === false, 'a client does not see that a tool is disabled')
  step(`The operator disables ${key}: clients see it at once`, disabled.ms)
  const broken = await timed(() => operator.from('tools').update({ prompt: 'Paint it {{shade}}.' }).eq('key', key))
  must(broken.value.error?.details === 'tool_invalid', 'a tool could get a prompt that it cannot fill')
  step(`A prompt with an unknown variable: ${broken.value.status} ${broken.value.error?.details}`, broken.ms)

  const balance = await ana.from('users').select('plan_id, credits, credits_held, credits_owed').single().throwOnError()
  const { plan_id, credits, credits_held } = balance.data
  step(`Ana has plan ${plan_id} and ${credits} credits, of which open work holds ${credits_held}`)
  const cheat = await timed(() =>
    ana
      .from('users')
      .update({ credits: 1_000_000 } as never)
      .neq('credits', 0),
  )
  must(cheat.value.error !== null, 'a user could change her balance')
  step(`She tries to change her balance: ${cheat.value.status} ${cheat.value.error?.code}`, cheat.ms)

  const exported = await timed(() => ana.rpc('export_my_data').throwOnError())
  const document = exported.value.data as Record<string, unknown>
  const lists = Object.entries(document).flatMap(([name, part]) =>
    Array.isArray(part) && part.length > 0 ? [`${part.length} ${name}`] : [],
  )
  must('profile' in document, 'the export has no profile')
  step('Ana exports everything that is stored about her, as one document', exported.ms)
  step(`  ${lists.join(', ')}`)
}
