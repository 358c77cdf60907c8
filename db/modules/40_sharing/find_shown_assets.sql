-- app.find_shown_assets
create or replace function app.find_shown_assets(asset_ids uuid[])
  returns uuid[]
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return array(
    select candidate.id
    from unnest(find_shown_assets.asset_ids) as candidate (id)
    where exists (select from public.characters as c where c.icon_asset_id = candidate.id)
      or exists (select from public.scenarios as s where s.icon_asset_id = candidate.id)
      or exists (select from public.sessions as s where s.background_id = candidate.id)
      or exists (select from public.sessions as s where s.cover_id = candidate.id)
      or exists (select from app.session_icons as i where i.asset_id = candidate.id)
  );
end
$$;

comment on function app.find_shown_assets(uuid[]) is 'Of these assets those that a card or a session shows.';
