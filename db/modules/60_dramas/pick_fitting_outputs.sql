-- app.pick_fitting_outputs
--
-- Why         what is generated must be savable as it was opened: 4 MiB at most, as app.require_drama_fits has it. A drama is
--             measured exactly, which takes some milliseconds, only where the estimate says that it may be too large
create or replace function app.pick_fitting_outputs(job_ids bigint[])
  returns bigint[]
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return array(
    with made as (
      select
        j.id,
        r.drama_id,
        -- The output's own text, and what each part of it has besides in the document.
        sum(
          coalesce(octet_length(j.output::text), 0) + 600
            + 600 * (select count(*) from jsonb_path_query(j.output, 'lax $.*[*]'))
        ) over (partition by r.drama_id order by j.id) as bytes
      from public.jobs as j
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
          when e.bytes + e.made <= 4194304 then e.bytes
          else octet_length(app.build_drama(e.drama_id)::text)
        end as bytes
      from estimated as e
    )
    select m.id
    from made as m
    join measured as d on d.drama_id = m.drama_id
    where d.bytes + m.bytes <= 4194304
  );
end
$$;

comment on function app.pick_fitting_outputs(bigint[]) is 'Of these steps, those whose outputs leave their dramas small enough to be saved.';
