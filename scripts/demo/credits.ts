import { createClient } from '@supabase/supabase-js'
import pg from 'pg'
import type { Database, ServiceDatabase } from '../../db/client_types.ts'
import { must, type Stage, timed } from './act.ts'

/** Gives credits, reserves them for runs, and charges one run and not the other, as their user sees it. */
export async function showCredits({ url, anonKey, env, tokenFor, step }: Stage): Promise<void> {
  // A new user, so that the act has the same balances each time.
  const name = crypto.randomUUID().slice(0, 8)
  const email = `dora-${name}@example.com`
  const token = await tokenFor(email)
  const dora = createClient<Database>(url, anonKey, { accessToken: async () => token })
  const service = createClient<ServiceDatabase>(url, env['SUPABASE_SERVICE_ROLE_KEY'] ?? '')
  const operator = new pg.Client({ connectionString: env['DATABASE_URL'] })
  await operator.connect()
  const balance = async () =>
    (await dora.from('users').select('id, credits, credits_held').single().throwOnError()).data
  // The act is a product of its own: a job type that no worker runs.
  const type = `paint_demo_${name}`
  const submit = async (user: string, cost: number): Promise<string> => {
    await operator.query('begin')
    await operator.query('select app.ensure_lanes($1, array[$2]), app.lock_credits(array[$1])', [user, type])
    const { rows } = await operator.query('select app.submit_run($1, $2, null) as run', [{ key: 'paint', type }, user])
    await operator.query('select app.place_hold($1, $2, $3, $4)', [user, rows[0].run, cost, 'A portrait.'])
    await operator.query('commit')
    return rows[0].run
  }
  try {
    const { data: grants } = await dora.from('credit_grants').select('source, amount, expires_at').throwOnError()
    const { id, credits } = await balance()
    must(grants.length === 1 && grants[0]?.amount === credits, 'a new user has no credits of the plan')
    step(`Dora is new: ${credits} credits of her plan, until ${grants[0]?.expires_at?.slice(0, 10)}`)

    const request = { user_id: id, amount: 25, reason: 'Welcome.', idempotency_key: 'welcome' }
    const adjusted = await timed(() => service.rpc('adjust_credits', request).throwOnError())
    await service.rpc('adjust_credits', request).throwOnError()
    must((await balance()).credits === credits + 25, 'a repeated adjustment counted twice')
    step(`The operator adds 25, and repeats the request: ${credits + 25} credits`, adjusted.ms)

    await operator.query('insert into job_types (name) values ($1)', [type])
    await operator.query(
      `select app.register_callbacks(
         $1, on_completed => 'app.capture_holds', on_run_ended => 'app.release_holds'
       )`,
      [type],
    )
    const first = await timed(() => submit(id, 12))
    const second = await submit(id, 5)
    must((await balance()).credits_held === 17, 'the holds reserve something else than they cost')
    step('Two runs for 12 and 5 credits: 17 are held, none is charged', first.ms)
    const refused = await submit(id, 1000).catch((error: pg.DatabaseError) => error)
    await operator.query('rollback')
    must(typeof refused !== 'string' && refused.code === 'PT402', 'a hold exceeded the balance')
    step(`A run for 1,000: 402 ${typeof refused === 'string' ? '' : refused.message}`)

    const captured = await timed(() => operator.query('select app.capture_hold($1)', [first.value]))
    const { data: usage } = await dora.from('credit_usage').select('credits, reason').throwOnError()
    must(usage.length === 1 && usage[0]?.credits === 12, 'the charge is missing')
    step(
      `The hold of the first run is captured: Dora is charged ${usage[0]?.credits} for “${usage[0]?.reason}”`,
      captured.ms,
    )
    const released = await timed(() => operator.query('select app.cancel_runs(array[$1::bigint])', [second]))
    const end = await balance()
    must(end.credits === credits + 13 && end.credits_held === 0, 'a cancelled run was charged')
    step(`The second run is cancelled: ${end.credits} credits, none held`, released.ms)

    const { data: entries } = await dora.from('credit_entries').select('amount').throwOnError()
    must(entries.reduce((sum, { amount }) => sum + amount, 0) === end.credits, 'the ledger has another sum')
    step(`The ${entries.length} entries of her ledger have the same sum`)
  } finally {
    await operator.query('rollback')
    await operator.query('delete from auth.users where email = $1', [email])
    await operator.query('delete from app.lanes where type = $1', [type])
    await operator.query('delete from app.job_callbacks where type = $1', [type])
    await operator.query('delete from job_types where name = $1', [type])
    await operator.end()
  }
}
