-- Whatever cards and sessions are inserted and deleted: the assets that the cleaner takes for shown
-- are those that they show, read here from the documents themselves.
begin;
select plan(3);
select setseed(0.5);
select tests.create_asset(
  format('a00000%s-0000-4000-8000-000000000000', lpad(n::text, 2, '0'))::uuid
)
from generate_series(1, 30) as n;
update app.settings set share_writes_per_minute = 1000000;

create function pg_temp.any_asset() returns uuid language sql as
  $$ select id from public.assets order by random() limit 1 $$;
create function pg_temp.read_shown() returns setof uuid language sql as $$
  select icon_asset_id from public.characters where icon_asset_id is not null
  union
  select icon_asset_id from public.scenarios where icon_asset_id is not null
  union
  select background_id from public.sessions where background_id is not null
  union
  select cover_id from public.sessions where cover_id is not null
  union
  select (card ->> 'icon_asset_id')::uuid
  from public.sessions as s
  cross join json_array_elements(s.all_cards) as card
  where card ->> 'icon_asset_id' is not null
$$;
create temporary table difference (step integer, asset_id uuid);
create temporary table seen (shown bigint);

do $$
begin
  for v_step in 1 .. 200 loop
    case floor(random() * 8)
      when 0 then
        insert into public.characters (id, name, icon_asset_id)
        values (gen_random_uuid(), 'x', pg_temp.any_asset());
      when 1 then
        insert into public.scenarios (id, name, icon_asset_id)
        select gen_random_uuid(), 'x', case when random() < 0.5 then pg_temp.any_asset() end
        from generate_series(1, 3);
      when 2 then
        insert into public.sessions (id, all_cards, background_id, cover_id)
        select
          gen_random_uuid(), json_build_array(
            json_build_object('icon_asset_id', pg_temp.any_asset()),
            json_build_object('icon_asset_id', null),
            json_build_object('icon_asset_id', pg_temp.any_asset())
          ),
          case when random() < 0.5 then pg_temp.any_asset() end,
          case when random() < 0.5 then pg_temp.any_asset() end
        from generate_series(1, 2);
      when 3 then
        perform public.share_card(
          '{"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "x"}}',
          pg_temp.any_asset(),
          case when random() < 0.5 then 'character' else 'scenario' end,
          gen_random_uuid()
        );
      when 4 then
        perform public.share_session(
          json_build_object(
            'cover_id', pg_temp.any_asset(),
            'all_cards', json_build_array(json_build_object('icon_asset_id', pg_temp.any_asset()))
          ),
          null,
          gen_random_uuid()
        );
      when 5 then
        delete from public.shared_resources
        where id in (select id from public.shared_resources order by random() limit 5);
      when 6 then
        delete from public.sessions
        where id in (select id from public.sessions order by random() limit 3);
        delete from public.characters where random() < 0.5;
      when 7 then
        update public.scenarios
        set icon_asset_id = pg_temp.any_asset()
        where id in (select id from public.scenarios order by random() limit 2);
    end case;

    insert into seen
    values (cardinality(app.find_shown_assets(array(select id from public.assets))));
    insert into difference
    select v_step, d.asset_id
    from (
      (
        select unnest(app.find_shown_assets(array(select id from public.assets))) as asset_id
        except
        select pg_temp.read_shown()
      )
      union all
      (
        select pg_temp.read_shown()
        except
        select unnest(app.find_shown_assets(array(select id from public.assets)))
      )
    ) as d;
  end loop;
end
$$;

select cmp_ok(
  (select count(distinct shown) from seen), '>', 5::bigint,
  'given: the number of shown assets varies'
);
select is_empty(
  'select * from difference', 'after each of 200 random steps, exactly the assets in use are shown'
);

-- When all shares have expired
select tests.travel('3 hours');
do $$
begin
  while app.delete_expired_shares() + app.delete_unshared_resources() > 0 loop
  end loop;
end
$$;
select is(
  app.find_shown_assets(array(select a.id from public.assets as a)), '{}',
  'nothing shows an asset after all shares are deleted'
);

select * from finish();
rollback;
