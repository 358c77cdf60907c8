-- app.tg_tools__raise_version
create or replace function app.tg_tools__raise_version()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  new.version := old.version + (
    (new.prompt, new.model, new.parameters, new.kind, new.result_schema)
      is distinct from (old.prompt, old.model, old.parameters, old.kind, old.result_schema)
  )::integer;

  return new;
end
$$;

comment on function app.tg_tools__raise_version() is
  'Raises the version of a tool when the same request may have another result than before.';
