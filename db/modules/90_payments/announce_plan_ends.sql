-- app.announce_plan_ends
--
-- Called by   schedule announce-plan-ends
-- Writes      plan_notices; as app.notify
-- Idempotent  once per user and end of the plan
-- Locks       the users, for key share, with skip locked
create or replace function app.announce_plan_ends()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_user record;
  v_announced integer := 0;
begin
  for v_user in
    select u.id, u.plan_ends_at, p.name
    from public.users as u
    join public.plans as p on p.id = any (array[u.plan_id])
    where u.plan_ends_at > app.now()
      and u.plan_ends_at <= app.now() + interval '3 days'
      and not exists (
        select
        from app.plan_notices as n
        where n.user_id = any (array[u.id]) and n.plan_ends_at = u.plan_ends_at
      )
    order by u.plan_ends_at
    -- Each notification is an event of Realtime: ADR 24.
    limit 300
    for key share of u skip locked
  loop
    insert into app.plan_notices as n (user_id, plan_ends_at)
    values (v_user.id, v_user.plan_ends_at)
    on conflict on constraint plan_notices_pkey do update set plan_ends_at = excluded.plan_ends_at;
    perform app.notify(
      v_user.id,
      'plan_ends_soon',
      'Your plan ends soon',
      format(
        'Your plan %s ends on %s. Renew it to keep it.',
        v_user.name,
        to_char(v_user.plan_ends_at at time zone 'UTC', 'YYYY-MM-DD')
      ),
      jsonb_build_object('plan_ends_at', v_user.plan_ends_at)
    );
    v_announced := v_announced + 1;
  end loop;

  return v_announced;
end
$$;

comment on function app.announce_plan_ends() is
$$Tells up to 300 users that their plan ends within three days, once per end. Returns the number of
users.$$;
