-- app.find_shown_assets
--
-- Why         a module that shows an asset refers to it by a foreign key, which forbids deleting
--             the asset. So the foreign keys list everything that shows assets: exact in every
--             transaction, without a copy that triggers would have to keep (ADR 7). The SQL is
--             built from the catalog: names of tables and columns of postgres, and nothing that a
--             caller sends.
create or replace function app.find_shown_assets(asset_ids uuid[])
  returns uuid[]
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_is_shown text;
  v_shown_ids uuid[];
begin
  select string_agg(
    format('exists (select from %I.%I as r where %s)', n.nspname, t.relname, c.pairs), ' or '
  )
  into v_is_shown
  from pg_catalog.pg_constraint as k
  join pg_catalog.pg_class as t on t.oid = k.conrelid
  join pg_catalog.pg_namespace as n on n.oid = t.relnamespace
  cross join lateral (
    select string_agg(format('r.%I = a.%I', o.attname, s.attname), ' and ') as pairs
    from unnest(k.conkey, k.confkey) as u (own, shown)
    join pg_catalog.pg_attribute as o on o.attrelid = k.conrelid and o.attnum = u.own
    join pg_catalog.pg_attribute as s on s.attrelid = k.confrelid and s.attnum = u.shown
  ) as c
  where k.contype = 'f'
    and k.confrelid = 'public.assets'::regclass
    -- A key that cascades or sets null does not need the asset.
    and k.confdeltype in ('a', 'r')
    -- The key of a partitioned table covers its partitions.
    and k.conparentid = 0;

  execute format(
    'select array(select a.id from public.assets as a where a.id = any ($1) and (%s))',
    coalesce(v_is_shown, 'false')
  )
  into v_shown_ids
  using find_shown_assets.asset_ids;

  return v_shown_ids;
end
$$;

comment on function app.find_shown_assets(uuid[]) is
  'Returns the assets among asset_ids to which a row of any module refers by a foreign key.';
