-- app.get_drama_complete, public.get_drama_complete
--
-- Called by   clients, by GET or POST
-- Errors      PT404 drama_not_found
-- Why         volatile, because it sets headers: a stable one would not be run for HEAD. A package whose updated_at is not
--             the drama's is passed over: it may be late, never wrong
create or replace function app.get_drama_complete(drama_id uuid)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_drama record;
  v_wanted text;
begin
  select d.updated_at, p.package into v_drama
  from public.dramas as d
  left join app.drama_packages as p on p.drama_id = d.id and p.updated_at = d.updated_at
  where d.id = get_drama_complete.drama_id and (d.owner_id = auth.uid() or auth.role() = 'service_role');
  if not found then
    perform app.fail(404, 'drama_not_found', 'There is no such drama.');
  end if;

  if current_setting('request.method', true) in ('GET', 'HEAD') then
    v_wanted := current_setting('request.headers', true)::json ->> 'if-none-match';
    if btrim(v_wanted) = '*' or strpos(v_wanted, '"' || app.drama_tag(v_drama.updated_at) || '"') > 0 then
      perform app.send_drama(v_drama.updated_at), set_config('response.status', '304', true);
      return null;
    end if;
  end if;

  if v_drama.package is null then
    select d.updated_at, app.build_drama(d.id) as package into v_drama
    from public.dramas as d
    where d.id = get_drama_complete.drama_id;
    if not found then
      perform app.fail(404, 'drama_not_found', 'There is no such drama.');
    end if;
  end if;

  perform app.send_drama(v_drama.updated_at);
  return v_drama.package;
end
$$;

comment on function app.get_drama_complete(uuid) is 'A drama with all that is below it; see public.get_drama_complete.';

create or replace function public.get_drama_complete(drama_id uuid)
  returns public."*/*"
  language sql
  volatile
  set search_path = ''
return app.get_drama_complete(drama_id);

comment on function public.get_drama_complete(uuid) is
$$A drama with its characters, episodes and scenes.

Returns the document that docs/drama.schema.json describes, lists in their order. By GET its ETag can be sent back as
If-None-Match: 304 while nothing has changed. 404 drama_not_found. Seed 002.$$;

grant execute on function app.get_drama_complete(uuid) to authenticated, service_role;
grant execute on function public.get_drama_complete(uuid) to authenticated, service_role;
