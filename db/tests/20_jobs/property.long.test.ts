import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import type { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { exchangeSteps, letSweep, sweepSteps } from '../../../scripts/testing/steps.ts'
import type { ClaimedStep } from '../../../worker/steps/claim.ts'
import { requireInvariants } from './invariants.ts'

// Random runs, driven by simulated workers that fail, crash, repeat themselves and are late. The invariants are checked after
// each action. A failure prints the seed: give it to fc.assert to see the failure again.
let database: TestDatabase
let admin: Client
let door: Client

beforeAll(async () => {
  database = await createDatabase()
  ;[admin, door] = await Promise.all([database.connect(), database.connect('worker')])
  await admin.query(`
    insert into job_types (name, max_failures, backoff, owner_running_limit, running_limit) values
      ('free', 3, '1 ms', null, null), ('narrow', 3, '1 ms', 2, null), ('scarce', 3, '1 ms', null, 3),
      ('called', 3, '1 ms', null, null)
  `)
  await admin.query(watchArrows)
  await admin.query(watchCallbacks)
})
afterAll(() => database.drop())

type Spec = {
  key: string
  type: string
  depends_on?: string[]
  steps?: Spec[]
  on_failure?: string
  collect?: string
  priority?: number
  input?: string
}

const type = fc.constantFrom('free', 'narrow', 'scarce', 'called', 'group', 'group')
const shape = fc.letrec<{ steps: Spec[] }>((tie) => ({
  steps: fc
    .array(
      fc.record({
        type,
        on_failure: fc.option(fc.constantFrom('fail_run', 'skip_dependents', 'continue'), { nil: undefined }),
        collect: fc.option(fc.constant('children'), { nil: undefined }),
        priority: fc.integer({ min: -2, max: 2 }),
        depends: fc.array(fc.nat(9), { maxLength: 3 }),
        steps: fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.constant([]), tie('steps')),
      }),
      { maxLength: 5 },
    )
    .map((list): Spec[] => {
      // Dependencies point backwards and forwards, but never in a cycle, because they follow a random order.
      const order = list.map((_one, index) => (index * 7 + list.length) % 11)
      return list.map(({ depends, on_failure, collect, steps, ...rest }, index) => ({
        ...rest,
        steps: [...(steps ?? [])],
        key: `s${index}`,
        ...(on_failure && { on_failure }),
        ...(collect && { collect }),
        depends_on: [...new Set(depends)]
          .filter((other) => other < list.length && (order[other] ?? 0) < (order[index] ?? 0))
          .map((other) => `s${other}`),
      }))
    }),
}))
const input = fc.constantFrom('good end', 'good end', 'bad end')
const run = fc.record({ type, steps: shape.steps, input }).map((root): Spec => ({ key: 'root', ...root }))

const outcome = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ outcome: 'completed', output: { done: true } }) },
  {
    weight: 2,
    arbitrary: shape.steps.map((children) => ({
      outcome: 'completed',
      children: children.map((child) => ({
        ...child,
        key: `c-${child.key}`,
        depends_on: child.depends_on?.map((key) => `c-${key}`),
      })),
    })),
  },
  { weight: 1, arbitrary: fc.constant({ outcome: 'completed', children: [{ key: 'BAD', type: 'free' }] }) },
  { weight: 1, arbitrary: fc.constant({ outcome: 'completed', output: 'x'.repeat(1_100_000) }) },
  { weight: 1, arbitrary: fc.constant({ outcome: 'completed', output: 'poison' }) },
  { weight: 2, arbitrary: fc.constant({ outcome: 'failed', error: { slug: 'broken', message: 'It broke.' } }) },
  { weight: 1, arbitrary: fc.constant({ outcome: 'failed', is_permanent: true }) },
  { weight: 1, arbitrary: fc.constant({ outcome: 'failed', retry_in_ms: 3 }) },
  { weight: 1, arbitrary: fc.constant({ outcome: 'rescheduled', state: { turn: 1 }, retry_in_ms: 1 }) },
  { weight: 1, arbitrary: fc.constant({ outcome: 'returned' }) },
  { weight: 1, arbitrary: fc.constant({ outcome: 'nonsense' }) },
)
const worker = fc.nat(2)
const action = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('exchange'),
      worker,
      want: fc.nat(5),
      outcomes: fc.array(outcome, { maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('repeat'), worker }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash'), worker }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('heartbeat'), worker }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel'), run: fc.nat(1) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('retry'), run: fc.nat(1) }) },
) as fc.Arbitrary<{ kind: string; worker: number; want: number; run: number; outcomes: Record<string, unknown>[] }>

class Simulation {
  /** The steps that each worker holds, and the results that it handed in last. */
  held: ClaimedStep[][] = [[], [], []]
  last: string[] = ['[]', '[]', '[]']
  ids = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()]
  runs: number[] = []
  completed = new Map<number, number>()

  async submit(spec: Spec): Promise<void> {
    const { rows } = await admin.query('select submit_run($1) as id', [JSON.stringify(spec)])
    this.runs.push(Number(rows[0].id))
  }

  async exchange(index: number, results: Record<string, unknown>[], want: number): Promise<number> {
    const text = JSON.stringify(results)
    this.last[index] = text
    const answer = await this.call(index, text, want)
    const refused = new Set(answer.refused.map((one) => one.index))
    for (const [at, result] of results.entries()) {
      if (refused.has(at) || result['outcome'] !== 'completed') continue
      const { rows } = await admin.query('select status, error_slug from jobs where id = $1', [result['id']])
      if (rows[0].error_slug !== null) continue
      const id = Number(result['id'])
      expect(this.completed.get(id), `job ${id} was completed before`).toBeUndefined()
      this.completed.set(id, Number(result['fence']))
    }
    this.held[index]?.push(...answer.steps)
    for (const step of answer.steps) await this.requireReady(step)
    return answer.steps.length
  }

  async call(index: number, results: string, want: number) {
    return exchangeSteps(door, this.ids[index] as string, results, want)
  }

  async requireReady(step: ClaimedStep): Promise<void> {
    const { rows } = await admin.query(
      `select
        coalesce(array_agg(d.key order by d.key) filter (where d.id is not null), '{}') as keys,
        coalesce(bool_and(d.finished_at is not null and d.status in ('completed', 'failed')) filter (where d.id is not null), true) as settled,
        (select p.worked_at is not null from jobs as p where p.id = j.parent_id) as opened
      from jobs as j left join jobs as d on d.id = any (j.depends_on) where j.id = $1 group by j.id`,
      [step.id],
    )
    expect(rows[0].settled, `a dependency of ${step.id} is not settled`).toBe(true)
    expect(rows[0].opened, `the parent of ${step.id} is at work`).not.toBe(false)
    expect(this.completed.has(step.id), `job ${step.id} starts again`).toBe(false)
    const outputs = step.outputs ?? (await this.readOutputs(step))
    expect([...new Set(outputs.map(([path]) => path[0]))].sort()).toEqual(rows[0].keys)
  }

  async readOutputs({ id, fence }: ClaimedStep): Promise<[string[], unknown][]> {
    const { rows } = await door.query('select worker.read_outputs($1, $2) as page', [id, fence])
    expect(rows[0].page.after_id).toBeNull()
    return rows[0].page.outputs
  }

  async apply(one: { kind: string; worker: number; want: number; run: number; outcomes: Record<string, unknown>[] }) {
    const held = this.held[one.worker] ?? []
    const id = this.runs[one.run % this.runs.length]
    if (one.kind === 'exchange') {
      const results = one.outcomes.slice(0, held.length).map((result) => {
        const step = held.shift()
        return { id: step?.id, fence: step?.fence, ...result }
      })
      await this.exchange(one.worker, results, one.want)
    } else if (one.kind === 'repeat') {
      const text = this.last[one.worker] ?? '[]'
      const answer = await this.call(one.worker, text, 0)
      expect(answer.refused).toHaveLength(
        JSON.parse(text).filter((r: { outcome: string }) => r.outcome !== 'nonsense').length +
          answer.refused.filter((r) => JSON.parse(text)[r.index].outcome === 'nonsense').length,
      )
    } else if (one.kind === 'crash') {
      // The worker is silent from now on, and another worker sweeps it. It still tries to hand in its steps.
      await admin.query("update app.workers set heartbeat_at = now() - interval '1 hour' where id = $1", [
        this.ids[one.worker],
      ])
      await this.sweep((one.worker + 1) % 3)
    } else if (one.kind === 'heartbeat') {
      const running = held.map(({ id, fence }) => ({ id, fence, progress: 0.5 }))
      const { rows } = await door.query('select worker.heartbeat($1, $2) as answer', [
        this.ids[one.worker],
        JSON.stringify(running),
      ])
      const stop = new Set(rows[0].answer.stop.map((step: ClaimedStep) => step.fence))
      this.held[one.worker] = held.filter((step) => !stop.has(step.fence))
    } else {
      await admin.query('select set_config(\'request.jwt.claims\', \'{"role": "service_role"}\', false)')
      await admin.query(`select ${one.kind}_job($1)`, [id]).catch((error) => expect(error.code).toBe('PT409'))
    }
  }

  private async sweep(index: number): Promise<void> {
    const id = this.ids[index] as string
    await letSweep(admin, id)
    await sweepSteps(door, id)
  }

  /** Checks that callbacks were called once per own work done and once per end of a run, or that the call is stored. */
  async requireCalls(): Promise<void> {
    const { rows: completed } = await admin.query(
      `select
        (select coalesce(array_agg(id::integer order by id), '{}') from tests.calls where callback = 'completed') as called,
        (select coalesce(array_agg(id::integer order by id), '{}') from jobs where type = 'called' and id = any ($1)) as done`,
      [[...this.completed.keys()]],
    )
    expect(completed[0].called, 'on_completed, once for each own work done').toEqual(completed[0].done)
    const { rows: wrong } = await admin.query(`
      select r.id, e.ends, c.calls, f.faults from app.runs as r
      join jobs as j on j.id = r.id and j.type = 'called'
      cross join lateral (select count(*) as ends from tests.ends as e where e.run_id = r.id) as e
      cross join lateral (select count(*) as calls from tests.calls as c where c.id = r.id and c.callback = 'ended') as c
      cross join lateral (select count(*) as faults from app.callback_faults as f where f.run_id = r.id) as f
      where e.ends <> c.calls + f.faults or e.ends = 0`)
    expect(wrong, 'on_run_ended, once for each end').toEqual([])
  }

  /** Completes every step that is left, until every run has ended. */
  async drain(): Promise<void> {
    for (let turn = 0; turn < 300; turn++) {
      const { rows } = await admin.query('select count(*)::int as open from app.runs where finished_at is null')
      if (rows[0].open === 0) return
      // Workers that still hold steps crash.
      for (const index of [0, 1, 2]) {
        const results = (this.held[index] ?? []).splice(0).map(({ id, fence }) => ({ id, fence, outcome: 'completed' }))
        const taken = await this.exchange(index, results, 20)
        if (taken === 0 && turn > 5) {
          await admin.query("update app.workers set heartbeat_at = now() - interval '1 hour'")
          await this.sweep(3)
        }
      }
    }
    const { rows } = await admin.query(
      'select to_jsonb(q) as open, l.wake_at, l.not_before, now() from app.job_queue as q left join app.lanes as l on l.id = q.lane_id',
    )
    throw new Error(`A run never ended: ${JSON.stringify(rows)}`)
  }
}

test('whatever workers do, nothing starts early or completes twice, no counter drifts, every run ends, and callbacks are called once', async () => {
  await admin.query("update job_types set backoff = '1 microsecond', backoff_max = '1 ms'")
  await fc.assert(
    fc.asyncProperty(
      fc.array(run, { minLength: 1, maxLength: 2 }),
      // Long lists, because by default most have few actions, and nothing would be cancelled and retried.
      fc.array(action, { maxLength: 60, size: 'max' }),
      async (specs, actions) => {
        const simulation = new Simulation()
        await admin.query('delete from app.runs')
        await admin.query('delete from app.workers; delete from app.callback_faults; truncate tests.calls, tests.ends')
        for (const spec of specs) await simulation.submit(spec)
        await requireInvariants(admin)
        for (const one of actions) {
          await simulation.apply(one)
          await requireInvariants(admin)
        }
        await simulation.drain()
        await requireInvariants(admin)
        await simulation.requireCalls()
      },
    ),
    { numRuns: 150, endOnFailure: true },
  )
  // The arrows that occurred are exactly the arrows of docs/states.md.
  const { rows } = await admin.query('select distinct arrow from tests.arrows order by 1')
  expect(rows.map(({ arrow }) => arrow)).toEqual(listArrows())
})

/** Records each change of a step's status: in the queue while the step is open, in jobs when it ends or reopens. */
const watchArrows = `
  create schema tests;
  create table tests.arrows (arrow text);
  create table tests.last_status (job_id bigint primary key, status text);
  create function tests.tg_queue() returns trigger language plpgsql security definer as $$
  begin
    if tg_op = 'INSERT' then
      insert into tests.arrows select '[*] --> ' || new.status
      where not exists (select from tests.last_status as s where s.job_id = new.job_id);
    -- A failed root stays in the queue until its last step ends; its job is failed already.
    elsif old.status <> new.status and not exists (select from public.jobs as j where j.id = new.job_id and j.finished_at is not null) then
      insert into tests.arrows values (old.status || ' --> ' || new.status);
    end if;
    insert into tests.last_status as s values (new.job_id, new.status) on conflict (job_id) do update set status = excluded.status;
    return null;
  end $$;
  create function tests.tg_jobs() returns trigger language plpgsql security definer as $$
  begin
    if old.finished_at is not null and new.finished_at is null then
      insert into tests.arrows values (old.status || ' --> ' || new.status);
    elsif old.finished_at is null and new.finished_at is not null then
      insert into tests.arrows select s.status || ' --> ' || new.status from tests.last_status as s where s.job_id = new.id;
    end if;
    return null;
  end $$;
  create trigger watch after insert or update on app.job_queue for each row execute function tests.tg_queue();
  create trigger watch after update on jobs for each row execute function tests.tg_jobs();
`

/**
 * Callbacks of type "called" note their calls. on_completed raises for the output "poison", on_run_ended for the input
 * "bad end". Every end of a run is noted, too.
 */
const watchCallbacks = `
  create table tests.calls (callback text, id bigint);
  create table tests.ends (run_id bigint);
  create function app.note_completed(job_ids bigint[]) returns void language plpgsql as $$
  begin
    insert into tests.calls select 'completed', unnest(job_ids);
    if exists (select from public.jobs as j where j.id = any (job_ids) and j.output = '"poison"') then
      raise exception 'poison';
    end if;
  end $$;
  create function app.note_ended(job_ids bigint[]) returns void language plpgsql as $$
  begin
    insert into tests.calls select 'ended', unnest(job_ids);
    if exists (select from public.jobs as j where j.id = any (job_ids) and j.input = '"bad end"') then
      raise exception 'bad end';
    end if;
  end $$;
  select app.register_callbacks('called', on_completed => 'app.note_completed', on_run_ended => 'app.note_ended');
  create function tests.tg_runs() returns trigger language plpgsql security definer as $$
  begin
    insert into tests.ends values (new.id);
    return null;
  end $$;
  create trigger watch after update on app.runs for each row
    when (old.finished_at is null and new.finished_at is not null) execute function tests.tg_runs();
`

/** The arrows of the diagram of a step. */
function listArrows(): string[] {
  const states = readFileSync(new URL('../../../docs/states.md', import.meta.url), 'utf8')
  const [diagram = ''] = states.slice(states.indexOf('## Step ')).split('```\n\n')
  return [...new Set([...diagram.matchAll(/^ {2}(\S+ --> \S+):/gm)].map(([, arrow]) => arrow as string))].sort()
}
