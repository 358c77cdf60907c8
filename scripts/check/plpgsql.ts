import type pg from 'pg'
import { ourSchemas } from './catalog.ts'
import { count, type Outcome } from './outcome.ts'

type Finding = {
  function: string
  relation: string | null
  line: number | null
  level: string | null
  message: string | null
  more: string | null
}

/** Findings that we accept, and the reason. */
const exempt = [
  {
    pattern:
      /^(app\.((refuse|require|settle|take)_rate|get_share_cost|list_(tasks|dramas|generations))|worker\.(mark|claim)_orphaned_assets|worker\.(claim_template_uploads|list_old_uploads))\(.*name of parameter "(limit|window)" is reserved keyword/,
    reason: 'the words that say it best; the body writes them in quotes',
  },
  {
    pattern: /^app\.(lock_type_limits|lock_open_steps|lock_free_runs|try_lock_credits)\(.*should be STABLE/,
    reason: 'they lock rows, which a stable function may not',
  },
  {
    pattern: /^app\.has_task_slot\(.*should be STABLE/,
    reason: 'it reads earlier rows of the same insert, which a stable function does not see',
  },
  {
    pattern: /^app\.parse_url\(.*should be IMMUTABLE/,
    reason: 'it casts to a domain, whose check a migration may change',
  },
  {
    pattern: /^app\.tg_asset_(times|uploads)__count_.*relation "(old|new)_rows" does not exist/,
    reason: 'each of its triggers has only the transition tables of its event, and tg_op decides which to read',
  },
  {
    pattern: /^app\.get_field_names\(.*control reached end of function without RETURN/,
    reason: 'a case without else raises an error',
  },
  {
    pattern: /^sidecar\.reserve_asset\(.*unused parameter "name"/,
    reason: 'the sidecar of the last release sends it',
  },
  {
    pattern: /^app\.refuse_(task|generation)_retry\(.*unused parameter "run_ids"/,
    reason: 'the engine calls each callback with the ids',
  },
  {
    pattern: /^app\.(fulfil|refund)_order\(.*(unmodified OUT variable|unused parameter) "kind"/,
    reason: 'the caller reads kind, status and reason as one record',
  },
  {
    pattern: /^app\.admit_caller\(.*never read variable "v_timeout"/,
    reason: 'it runs before each request, and an assignment takes less time than perform',
  },
  {
    pattern: /^app\.accept_task\(.*composite OUT variable "task" is not single argument/,
    reason: 'the caller reads the task and is_known by name',
  },
]

/** A stand-in for pg_cron's objects that our functions use, where it is not installed. */
const cronStandIn = `
  create schema cron;
  create table cron.job (
    jobid bigint, schedule text, command text, nodename text, nodeport integer, database text, username text,
    active boolean, jobname text
  );
  create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql return 1;
  create function cron.unschedule(job_id bigint) returns boolean language sql return true;`

/** A trigger function is checked once for each trigger, whose table and transition tables it works on. */
const findings = `
  with targets as (
    select p.oid, t.tgrelid, t.tgoldtable, t.tgnewtable, p.prorettype = 'trigger'::regtype and t.oid is null as is_unused
    from pg_proc as p
    join pg_language as l on l.oid = p.prolang
    left join pg_trigger as t on t.tgfoid = p.oid and t.tgparentid = 0
    where l.lanname = 'plpgsql' and p.pronamespace::regnamespace::text = any ($1)
  )
  select
    t.oid::regprocedure::text as function,
    t.tgrelid::regclass::text as relation,
    coalesce(c.lineno, 0) as line,
    case when t.is_unused then 'warning' else c.level end as level,
    case when t.is_unused then 'no trigger runs it, so it cannot be checked' else c.message end as message,
    concat_ws(' ', c.detail, c.hint) as more
  from targets as t
  left join lateral extensions.plpgsql_check_function_tb(
    t.oid, coalesce(t.tgrelid, 0),
    fatal_errors => false,
    performance_warnings => true,
    security_warnings => true,
    oldtable => t.tgoldtable,
    newtable => t.tgnewtable
  ) as c on not t.is_unused
  order by function, relation, line`

/** Runs plpgsql_check on our functions; skipped where it is not installed. Needs a superuser. */
export async function checkPlpgsql(admin: pg.Client): Promise<Outcome> {
  const available = await admin.query("select from pg_available_extensions where name = 'plpgsql_check'")
  if (available.rowCount === 0)
    return { said: 'skipped: this Postgres has no plpgsql_check (Debian has postgresql-15-plpgsql-check)' }
  await admin.query('create extension plpgsql_check with schema extensions')
  const cron = await admin.query("select from pg_namespace where nspname = 'cron'")
  if (cron.rowCount === 0) await admin.query(cronStandIn)
  await admin.query("set search_path = ''")
  const { rows } = await admin.query<Finding>(findings, [ourSchemas])
  return {
    said: `plpgsql_check on ${count(new Set(rows.map((row) => row.function)).size, 'function')}`,
    problems: rows.flatMap(describe).filter((problem) => !exempt.some(({ pattern }) => pattern.test(problem))),
    remedy: 'Lines count from "as $$".',
  }
}

function describe({ function: name, relation, line, level, message, more }: Finding): string[] {
  if (message === null) return []
  return [`${name}${relation ? ` on ${relation}` : ''} line ${line}: ${level}: ${message} ${more ?? ''}`.trimEnd()]
}
