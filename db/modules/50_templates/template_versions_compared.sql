-- ops.template_versions_compared
--
-- Called by   operators; as postgres
-- Why         token counts come from a step's output: a handler that pays for tokens puts usage: {
--             input_tokens, output_tokens } at the top of its output
create or replace view ops.template_versions_compared
  with (security_invoker = on)
as
select
  t.name as template,
  v.semver as version,
  v.status,
  coalesce(t.default_version_id = v.id, false) as is_default,
  count(j.id) as runs,
  count(j.id) filter (where j.status = 'completed') as completed,
  count(j.id) filter (where j.status = 'failed') as failures,
  round(
    100.0 * count(j.id) filter (where j.status = 'failed')
    / nullif(count(j.id) filter (where j.status in ('completed', 'failed')), 0),
    1
  ) as failures_percent,
  round(
    1000 * percentile_cont(0.5) within group (
      order by extract(epoch from j.worked_at - j.started_at)
    )
  )::bigint as latency_p50_ms,
  round(
    1000 * percentile_cont(0.95) within group (
      order by extract(epoch from j.worked_at - j.started_at)
    )
  )::bigint as latency_p95_ms,
  sum(case when jsonb_typeof(j.output #> '{usage,input_tokens}') = 'number'
    then (j.output #>> '{usage,input_tokens}')::numeric end) as input_tokens,
  sum(case when jsonb_typeof(j.output #> '{usage,output_tokens}') = 'number'
    then (j.output #>> '{usage,output_tokens}')::numeric end) as output_tokens
from public.template_versions as v
join public.templates as t on t.id = v.template_id
left join app.template_uses as u on u.template_version_id = v.id
left join public.jobs as j on j.id = u.job_id
where v.status <> 'draft'
group by t.id, v.id
order by t.name, v.precedence desc;

comment on view ops.template_versions_compared is
$$Compares the versions of templates by the jobs that used them.

runs: jobs that used the version; failures: the failed jobs among these. latency_p50_ms and
latency_p95_ms: from the first attempt that clients saw to the end of the work, pauses included, of
jobs that did the work. input_tokens, output_tokens: sums over all jobs. Covers the jobs that are
kept (app.settings.job_retention).$$;

revoke all on ops.template_versions_compared from anon, authenticated, service_role;
