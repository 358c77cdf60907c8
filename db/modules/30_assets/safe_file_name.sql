-- app.safe_file_name
create or replace function app.safe_file_name(name text, extension text)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  -- The last part of a path without its extension, because the bytes decide the type.
  v_stem text := regexp_replace(
    regexp_replace(safe_file_name.name, '^.*[/\\]', ''), '\.[^.]*$', ''
  );
begin
  v_stem := left(trim(both '-' from regexp_replace(v_stem, '[^A-Za-z0-9_]+', '-', 'g')), 100);

  return format('%s.%s', coalesce(nullif(v_stem, ''), 'file'), safe_file_name.extension);
end
$$;

comment on function app.safe_file_name(text, text) is
$$Returns a file name that is safe in a key of the object store.

The name has at most 100 letters, digits, - and _, and then the extension. A name without any of
these characters becomes "file".$$;
