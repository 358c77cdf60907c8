import { readArguments } from './commands/read_arguments.ts'
import { homeFolder, readEnv } from './local/home.ts'
import { standInKeys } from './local/paymob/server.ts'
import { createBuyer } from './paymob/buyer.ts'
import { type ScenarioName, scenarios } from './paymob/scenarios.ts'

const names = Object.keys(scenarios)
const { options, refuse } = readArguments('paymob:send', {
  about: 'Orders something as a user, waits until the order is opened, and sends the callbacks of a scenario.',
  options: {
    scenario: { type: 'string', value: 'name', default: 'paid', about: names.join(', ') },
    email: { type: 'string', value: 'address', default: 'ana@example.com', about: 'the user who buys' },
    item: { type: 'string', value: 'id', default: '', about: 'a plan or a credit pack; by default the first pack' },
  },
  environment: ['PLINTH_HOME', 'PAYMOB_HMAC_SECRET'],
  example: 'paymob:send -- --scenario part_refund',
})
const scenario = names.includes(options.scenario)
  ? scenarios[options.scenario as ScenarioName]
  : refuse(`Unknown scenario "${options.scenario}". Use one of: ${names.join(', ')}.`)
const env = readEnv(homeFolder()) ?? refuse(`No local stack runs in ${homeFolder()}: start one with npm start.`)

const { kind, id } = await chooseItem()
const buyer = await createBuyer(env, options.email)
const before = await buyer.account()
const first = await buyer.order(kind, id)
const references = [first.reference]
console.log(`Order ${first.reference} of ${kind} ${id}, ${(first.amount / 100).toFixed(2)} ${first.currency}:`)
await scenario({
  webhookUrl: `${env['SIDECAR_URL']}/api/paymob/webhook`,
  secret: process.env['PAYMOB_HMAC_SECRET'] || standInKeys.hmacSecret,
  order: first,
  say: (line) => console.log(`  ${line}`),
  async orderAgain() {
    const again = await buyer.order(kind, id)
    references.push(again.reference)
    return again
  },
})
const after = await buyer.account()
for (const [name, value] of Object.entries(after)) {
  const was = before[name as keyof typeof before]
  console.log(`${name}: ${was}${was === value ? '' : ` → ${value}`}`)
}
for (const { id, status, payments } of await buyer.orders(references)) {
  console.log(`order ${id}: ${status}; reports: ${payments.join(', ') || 'none'}`)
}

/** A renewal needs a plan; every other scenario shows more with a pack. */
async function chooseItem(): Promise<{ kind: string; id: string }> {
  const read = async (table: string) => {
    const query = 'select=id&enabled=is.true&price_minor=gt.0&order=sort'
    const response = await fetch(`${env['SUPABASE_URL']}/rest/v1/${table}?${query}`, {
      headers: { apikey: env['SUPABASE_ANON_KEY'] ?? '' },
    })
    return ((await response.json()) as { id: string }[]).map((row) => row.id)
  }
  const [plans, packs] = [await read('plans'), await read('credit_packs')]
  const wanted = options.item || (options.scenario === 'renewal' ? plans[0] : packs[0]) || ''
  if (plans.includes(wanted)) return { kind: 'plan', id: wanted }
  if (packs.includes(wanted)) return { kind: 'credit_pack', id: wanted }
  return refuse(`Nothing for sale is called "${wanted}". Use one of: ${[...plans, ...packs].join(', ')}.`)
}
