-- For operators, who read it as postgres. Tokens are what a step's output says of itself: a handler that pays for tokens
-- puts usage: { input_tokens, output_tokens } at the top of its output.
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
    1000 * percentile_cont(0.5) within group (order by extract(epoch from j.worked_at - j.started_at))
  )::bigint as latency_p50_ms,
  round(
    1000 * percentile_cont(0.95) within group (order by extract(epoch from j.worked_at - j.started_at))
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
  'What versions of templates did for the jobs that used them: how many (runs), how many failed, how long the work of those '
  'that did it took (from the first attempt that clients saw, its pauses included), what they cost in tokens. Over as long as runs '
  'are kept (app.settings.job_retention).';

revoke all on ops.template_versions_compared from anon, authenticated, service_role;
