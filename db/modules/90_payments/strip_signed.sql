-- app.strip_signed
create or replace function app.strip_signed(signed jsonb)
  returns jsonb
  language sql
  immutable
  set search_path = ''
return strip_signed.signed - array['source_data.pan', 'email', 'masked_pan'];

comment on function app.strip_signed(jsonb) is
  'Returns the signed fields of a callback without card and email, for the books of deleted users.';
