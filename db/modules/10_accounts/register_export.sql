-- app.register_export
--
-- Called by   exports.sql of the modules that store rows of users; npm run db:migrate applies such
--             a file when it changes
-- Writes      exports
-- Errors      42883 if the function does not exist yet; npm run db:migrate then applies the file
--             again after the others. 22023 if the function does not return json
-- Idempotent  a registration replaces the earlier one of its name
create or replace function app.register_export(name text, function text)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if register_export.function is null then
    delete from app.exports as e
    where e.name = register_export.name;
    return;
  end if;
  if (
    select p.prorettype
    from pg_catalog.pg_proc as p
    where p.oid = (register_export.function || '(uuid)')::regprocedure
  ) <> 'json'::regtype
  then
    raise invalid_parameter_value using
      message = format('Function %s does not return json.', register_export.function),
      hint = 'Return json or setof json.';
  end if;

  insert into app.exports as e (name, function)
  values (register_export.name, register_export.function)
  on conflict on constraint exports_pkey do update set function = excluded.function;
end
$$;

comment on function app.register_export(text, text) is
$$Registers a function that returns a part of export_my_data. A function of null removes the part.

name: the key of the part in the document. function: "app.<name>", a stable function with one uuid,
the user. A function that returns json makes a part that is one object; a function that returns
setof json makes a list, one row per element, oldest first. A test fails for a table with rows of
users that no registered function names.$$;
