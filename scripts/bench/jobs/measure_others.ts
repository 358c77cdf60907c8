import { type Section, say } from '../report.ts'
import { withPlinth } from './plinth.ts'
import { flat, toSpec } from './shapes.ts'
import { type JobsStage, until } from './stage.ts'

/** Measures figures without a bar: a tree of children, and many owners at once. */
export function measureOthers(stage: JobsStage): Promise<Section> {
  say('A tree of depth 5; 100 owners …')
  const { admin } = stage
  return withPlinth(stage, async () => {
    const from = performance.now()
    const { rows } = await admin.query(
      `select app.submit_run('{"key": "tree", "type": "branch", "input": {"children": 5, "depth": 5}}', null, null) as id`,
    )
    await until(admin, 'select from app.runs where id = $1 and finished_at is null', [rows[0].id])
    const steps = await admin.query('select steps from app.runs where id = $1', [rows[0].id])
    const tree = {
      name: `tree of depth 5, ${steps.rows[0].steps} steps, all brought by their parents`,
      value: performance.now() - from,
      unit: 'ms',
    }
    await admin.query(
      `insert into auth.users (id, aud, role, email)
       select gen_random_uuid(), 'authenticated', 'authenticated', n || '@bench.test' from generate_series(1, 100) as n`,
    )
    const started = performance.now()
    await admin.query('select app.submit_run($1, u.id, null) from users as u', [JSON.stringify(toSpec(flat(100)))])
    await until(admin, 'select from app.runs where finished_at is null limit 1')
    const owners = { name: '100 owners with 100 steps each', value: performance.now() - started, unit: 'ms' }
    return { bars: [], figures: [tree, owners] }
  })
}
