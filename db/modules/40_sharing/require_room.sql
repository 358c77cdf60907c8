-- app.tg__require_room
--
-- Errors      PT429 rate_limited, PT503 store_full
-- Why         sets the number of rows that trigger _030_refuse_rows counts down. That trigger
--             counts in its condition: a call of PL/pgSQL for each row would take four times as
--             long.
create or replace function app.tg__require_room()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.require_share_room();
  perform set_config('plinth.rows_left', app.get_share_limit('request_rows')::text, true);

  return null;
end
$$;

comment on function app.tg__require_room() is
  'Refuses direct inserts before their first row if the caller''s rate is spent or the store is '
  'full.';
