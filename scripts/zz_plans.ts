import { mkdtempSync, rmSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import pg from 'pg'
const base = process.env.BASE ?? '/work/main'
const { openHome } = await import(base + '/scripts/local/home.ts')
const { startPostgres } = await import(base + '/scripts/local/postgres.ts')
const { freePort, stopStale } = await import(base + '/scripts/local/process.ts')
const { databaseUrl, prepareDatabase } = await import(base + '/scripts/testing/cluster.ts')
const { testTypes } = await import(base + '/scripts/testing/handlers.ts')
const home = mkdtempSync('/tmp/plinth-prof-'); execFileSync('chmod', ['755', home])
const secrets = openHome(home); const port = await freePort()
await startPostgres({ home, port, adminPassword: secrets.adminPassword, settings: { max_wal_size: '4GB', checkpoint_timeout: '30min', track_functions: process.env.TRACK ?? 'none', shared_preload_libraries: 'pg_stat_statements,auto_explain', log_min_messages: 'log', logging_collector: 'on', log_directory: '/tmp/prof/log', 'pg_stat_statements.track': 'all' , fsync: process.env.FSYNC ?? 'on'} }, () => {})
const cluster = { home, port, secrets }
try {
  await prepareDatabase(cluster, 'plinth')
  const admin = new pg.Client(databaseUrl(cluster, 'plinth')); await admin.connect()
  await admin.query(testTypes)
  const w = new pg.Client(databaseUrl(cluster, 'plinth', 'worker')); await w.connect(); const dbg = async (on: boolean) => { await sup.query(`alter system set auto_explain.log_min_duration = ${on ? 0 : -1}`); await sup.query('alter system set auto_explain.log_nested_statements = on'); await sup.query('select pg_reload_conf()'); await new Promise(r=>setTimeout(r,300)) }
  const n = Number(process.env.N ?? 200)
  const fin = Number(process.env.FINISHED ?? 0)
  const sup = new pg.Client({ host: '127.0.0.1', port, user: 'supabase_admin', password: secrets.adminPassword, database: 'plinth' }); await sup.connect()
  const spec = JSON.stringify({ key: 'run', type: 'group', steps: Array.from({ length: n }, (_, i) => ({ key: 's' + i, type: 'noop', depends_on: i ? ['s' + (i - 1)] : [] })) })
  const wid = '00000000-0000-4000-8000-000000000001'
  const ex = async (results: any[], want: number) => (await w.query({ name: 'x', text: 'select * from worker.exchange_steps(worker_id => $1, results => $2, want => $3)', values: [wid, JSON.stringify(results), want] })).rows[0].exchange_steps
  const pid = (await w.query('select pg_backend_pid() as p')).rows[0].p; const { readFileSync } = await import('node:fs'); const cpu = () => Number(readFileSync('/proc/' + pid + '/schedstat', 'utf8').split(' ')[0]) / 1e6
  const round = async () => {
    const times: number[] = []
    await admin.query('select app.submit_run($1, null, null)', [spec])
    let results: any[] = []
    const from = performance.now(); const c0 = cpu()
    for (;;) {
      const t = performance.now()
      const a = await ex(results, 10)
      times.push(performance.now() - t)
      if (a.steps.length === 0) break
      results = a.steps.map((s: any) => ({ id: s.id, fence: s.fence, outcome: 'completed', output: { of: Object.keys(s.outputs ?? {}) } }))
    }
    times.sort((a, b) => a - b)
    return { cpu: (cpu() - c0) / times.length, total: performance.now() - from, p10: times[Math.floor(times.length/10)], p50: times[Math.floor(times.length / 2)] }
  }
  const rounds = async (label: string) => { 
  const all = []
  for (let i = 0; i < Number(process.env.R ?? 8); i++) all.push(await round())
  all.sort((a, b) => a.p50 - b.p50)
  console.log(label, 'cpu best', Math.min(...all.map(a=>a.cpu)).toFixed(3), 'cpu median', all.map(a=>a.cpu).sort((a,b)=>a-b)[all.length>>1].toFixed(3), 'best p10', Math.min(...all.map(a=>a.p10)).toFixed(3), 'best p50', all[0].p50.toFixed(3), 'median p50', all[all.length >> 1].p50.toFixed(3)) }
  await round()
  await rounds('before')
  const show = async () => {
    if (process.env.TRACK) { const { rows } = await sup.query("select schemaname||'.'||funcname as f, calls, round((total_time/calls)::numeric,4) as per_call, round((self_time/calls)::numeric,4) as self, round(self_time::numeric) as self_ms from pg_stat_user_functions order by self_time desc limit 24"); console.table(rows) }
    if (process.env.STMT) { await sup.query('create extension if not exists pg_stat_statements'); const { rows } = await sup.query(`select calls, round((total_exec_time/calls)::numeric,4) as ms, round((total_plan_time)::numeric,1) as plan, round(total_exec_time::numeric) as total, left(regexp_replace(query, '\\s+', ' ', 'g'), 110) as q from pg_stat_statements order by total_exec_time desc limit 30`); console.table(rows) }
  }
  if (process.env.STMT) { await sup.query('create extension if not exists pg_stat_statements'); await sup.query('select pg_stat_statements_reset()'); await rounds('stmt') }
  await dbg(true); await round(); await dbg(false)
  if (fin) {
    await admin.query('analyze')
    await admin.query('alter table public.jobs set (autovacuum_enabled = false)')
    await admin.query('alter table app.runs set (autovacuum_enabled = false)')
    await admin.query(`with ids as (select nextval('public.jobs_id_seq') as id, n from generate_series(1, $1::int) as n),
      roots as (select min(id) over (partition by (n - 1) / 10) as root, id, n from ids),
      runs as (insert into app.runs (id, steps, created_at, finished_at) select distinct root, 10, now(), now() from roots returning id)
      insert into jobs (id, root_id, parent_id, created_at, finished_at, worked_at, key, type, status, on_failure, output)
      select r.id, r.root, nullif(r.root, r.id), now(), now(), now(), 's' || r.n, 'noop', 'completed', 'fail_run', '{}' from roots as r`, [fin])
    await rounds('after 1'); await rounds('after 2')
    if (process.env.STMT) { await sup.query('select pg_stat_statements_reset()'); await rounds('after stmt'); await dbg(true); await round(); await dbg(false) }
    await admin.query('checkpoint').catch(()=>sup.query('checkpoint')); await rounds('after checkpoint')
  }
  await admin.end(); await w.end(); await sup.end()
} finally { await stopStale(home); rmSync(home, { recursive: true, force: true }) }
