-- A DAG written by hand on graphile-worker with care: a counter per step, keys of single ids, one
-- statement per completion, and dependents enqueued as a set.
create schema hand;
create table hand.steps (id bigint primary key, waits integer not null, output jsonb);
create table hand.edges (
  from_id bigint not null, to_id bigint not null, primary key (from_id, to_id)
);
create index on hand.edges (to_id);

create function hand.complete_step(step_id bigint, step_output jsonb)
  returns void language plpgsql as $$
declare
  v_ready bigint[];
begin
  if exists (
    select
    from hand.edges as e
    join hand.steps as s on s.id = e.from_id
    where e.to_id = step_id and s.output is null
  ) then
    raise exception 'Step % runs too early.', step_id;
  end if;
  update hand.steps set output = step_output where id = step_id and output is null;
  if not found then
    return;
  end if;
  with freed as (
    update hand.steps as s set waits = s.waits - 1
    from hand.edges as e
    where e.from_id = step_id and s.id = e.to_id
    returning s.id, s.waits
  )
  select array_agg(id) into v_ready from freed where waits = 0;
  if v_ready is not null then
    perform graphile_worker.add_jobs(array(
      select (
        'hand_step', json_build_object('id', r), null, null, null, null, null, null
      )::graphile_worker.job_spec
      from unnest(v_ready) as r
    ));
  end if;
end
$$;

create function hand.submit(step_ids bigint[], from_ids bigint[], to_ids bigint[])
  returns void language plpgsql as $$
begin
  insert into hand.steps
  select i, (select count(*) from unnest(to_ids) as t where t = i) from unnest(step_ids) as i
  where cardinality(to_ids) < 10;
  if cardinality(to_ids) >= 10 then
    insert into hand.steps
    select i, coalesce(t.waits, 0) from unnest(step_ids) as i
    left join (
      select u as id, count(*)::integer as waits from unnest(to_ids) as u group by u
    ) as t on t.id = i;
  end if;
  insert into hand.edges select f, t from unnest(from_ids, to_ids) as e (f, t);
  perform graphile_worker.add_jobs(array(
    select (
      'hand_step', json_build_object('id', s.id), null, null, null, null, null, null
    )::graphile_worker.job_spec
    from hand.steps as s where s.id = any (step_ids) and s.waits = 0
  ));
end
$$;
