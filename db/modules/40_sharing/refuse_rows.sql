-- app.tg__refuse_rows
--
-- Errors      PT413 too_many_rows, always: the trigger's condition counts
create or replace function app.tg__refuse_rows()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.fail(
    413,
    'too_many_rows',
    format('A request may insert at most %s rows.', app.get_share_limit('request_rows')),
    'Send the other rows in further requests.'
  );

  return null;
end
$$;

comment on function app.tg__refuse_rows() is
  'Refuses the first row of a request beyond the limit of rows.';
