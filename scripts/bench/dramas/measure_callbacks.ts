import { atMost, median, type Section, say } from '../report.ts'
import type { DramasStage } from './stage.ts'

/** Runs a fan of no-op steps through the worker's door in one session, in turns with and without the callbacks of dramas. */
export async function measureCallbacks({ db, admin }: DramasStage): Promise<Section> {
  say('Steps of other types, with the callbacks of dramas and without them …')
  await db.query("insert into public.job_types (name) values ('noop')")
  const steps = 2000
  const spec = JSON.stringify({
    key: 'root',
    type: 'group',
    steps: Array.from({ length: steps }, (_, n) => ({ key: `s${n}`, type: 'noop' })),
  })
  const worker = crypto.randomUUID()
  const turn = async () => {
    await db.query('select app.submit_run($1, null, null)', [spec])
    let results: object[] = []
    let ms = 0
    do {
      const from = performance.now()
      const { rows } = await db.query('select worker.exchange_steps($1, $2, 50) as answer', [
        worker,
        JSON.stringify(results),
      ])
      ms += performance.now() - from
      results = rows[0].answer.steps.map(({ id, fence }: { id: number; fence: number }) => ({
        id,
        fence,
        outcome: 'completed',
        output: { n: id },
      }))
    } while (results.length > 0)
    return (ms * 1000) / steps
  }
  const times: { withThem: number; without: number }[] = []
  await admin.query('create table app.saved_callbacks as table app.job_callbacks')
  await turn()
  for (let n = 0; n < 11; n++) {
    const withThem = await turn()
    await admin.query('delete from app.job_callbacks')
    const without = await turn()
    await admin.query('insert into app.job_callbacks table app.saved_callbacks')
    times.push({ withThem, without })
  }
  const ratio = median(times.map((one) => one.withThem / one.without))
  return {
    bars: [atMost('steps of other types: time with the callbacks of dramas, against without', ratio, 1.05)],
    figures: [
      {
        name: 'a step of another type, with the callbacks',
        value: median(times.map((one) => one.withThem)),
        unit: 'µs',
      },
      { name: 'a step of another type, without them', value: median(times.map((one) => one.without)), unit: 'µs' },
    ],
  }
}
