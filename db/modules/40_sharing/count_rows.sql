-- app.tg__count_rows
--
-- Writes      rate_limits, anonymous_bytes
-- Errors      PT400 document_too_deep, PT429 rate_limited
-- Locks       the caller's row of rate_limits, then a row of anonymous_bytes, without waiting
-- Why         a row counts as a KiB more than its content: otherwise one request could insert a
--             million empty rows
create or replace function app.tg__count_rows()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_bytes bigint := (select coalesce(sum(new_rows.size_bytes + 1024), 0) from new_rows);
begin
  perform app.require_json_depth((select json_agg(new_rows) from new_rows));
  perform app.take_share_rate(v_bytes);
  perform app.count_anonymous_bytes(v_bytes);
  -- The insert has ended, so policy select_new must not show its last row any more.
  perform set_config('plinth.new_row', '', true);

  return null;
end
$$;

comment on function app.tg__count_rows() is
  'Refuses rows with too many levels, and counts rows that a client inserts directly into the rate '
  'of the caller.';
