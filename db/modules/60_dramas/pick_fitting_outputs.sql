-- app.pick_fitting_outputs
--
-- Why         a client must be able to save a generated drama as it was read
--             (app.require_drama_fits).
--             Building the document takes milliseconds, so that happens only where the estimate
--             says that the drama may become too large
create or replace function app.pick_fitting_outputs(job_ids bigint[])
  returns bigint[]
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_max_bytes constant integer := app.get_domain_limit('app.drama_document');
begin
  return array(
    with made as (
      select
        j.id,
        r.drama_id,
        -- The text of the output, and the keys, ids and times of each part in the document.
        sum(
          coalesce(octet_length(j.output::text), 0) + 600
            + 600 * (select count(*) from jsonb_path_query(j.output, 'lax $.*[*]'))
        ) over (partition by r.drama_id order by j.id) as bytes
      from public.jobs as j
      -- = any (array[…]): an index lookup even where a plan was made on an empty table (ADR 16).
      join app.drama_runs as r on r.run_id = any (array[j.root_id])
      where j.id = any (pick_fitting_outputs.job_ids)
    ),
    estimated as (
      select m.drama_id, max(m.bytes) as made, app.estimate_drama(m.drama_id) as bytes
      from made as m
      group by m.drama_id
    ),
    measured as (
      select
        e.drama_id,
        case
          when e.bytes + e.made <= v_max_bytes then e.bytes
          else octet_length(app.build_drama(e.drama_id)::text)
        end as bytes
      from estimated as e
    )
    select m.id
    from made as m
    join measured as d on d.drama_id = m.drama_id
    where d.bytes + m.bytes <= v_max_bytes
  );
end
$$;

comment on function app.pick_fitting_outputs(bigint[]) is
  'Returns the steps among job_ids whose outputs leave their dramas small enough to be saved.';
