-- app.tg__pack_edits
--
-- Writes      drama_packages, drama_sizes; rate_limits
-- Errors      PT409 storage_used_up, PT413 drama_too_large, PT429 rate_limited
-- Locks       app.tg__check_edit has locked the dramas; then the caller's row of rate_limits
-- Why         an edit costs as much as a save of the drama, because the document is built again
create or replace function app.tg__pack_edits()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_user_id constant uuid := app.require_user();
  v_limit constant integer := (select s.drama_writes_per_minute from app.settings as s);
  v_ids constant uuid[] := array(
    select distinct r.drama_id from changed_rows as r order by r.drama_id
  );
  v_cost bigint;
  v_id uuid;
begin
  if v_ids = '{}' then
    return null;
  end if;
  perform app.pack_dramas(v_ids);
  select sum(1 + octet_length(p.package::text) / 65536) into v_cost
  from app.drama_packages as p
  where p.drama_id = any (v_ids);
  perform app.take_rate(
    'drama_writes',
    app.caller_key(),
    v_limit,
    interval '1 minute',
    least(v_cost, v_limit)::integer
  );

  foreach v_id in array v_ids loop
    perform app.require_drama_size(v_id, v_user_id);
  end loop;

  return null;
end
$$;

comment on function app.tg__pack_edits() is
  'Ends the edit of rows of dramas by their owner: stores the documents, checks their sizes '
  'and counts the edit.';
