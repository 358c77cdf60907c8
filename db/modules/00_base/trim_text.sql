-- app.trim_text
create or replace function app.trim_text(text text)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return btrim(
    trim_text.text,
    E' \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a'
      '\u2028\u2029\u202f\u205f\u3000\ufeff'
  );
end
$$;

comment on function app.trim_text(text) is
  'Returns a text without the white space around it; white space is what JavaScript trims.';
