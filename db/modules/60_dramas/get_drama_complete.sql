-- app.get_drama_complete, public.get_drama_complete
--
-- Called by   clients, by GET or POST
-- Errors      PT401 not_signed_in, PT404 drama_not_found
-- Why         volatile, because it sets headers, and PostgREST does not call a stable function for
--             HEAD.
--             A package counts only if its updated_at is the drama's: it may be old, but is never
--             sent
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
  perform app.require_caller();
  select d.updated_at, p.package into v_drama
  from public.dramas as d
  left join app.drama_packages as p on p.drama_id = d.id and p.updated_at = d.updated_at
  where d.id = get_drama_complete.drama_id
    and (d.owner_id = auth.uid() or auth.role() = 'service_role');
  if not found then
    perform app.fail(
      404, 'drama_not_found', 'Drama not found.', 'Use an id that list_dramas returns.'
    );
  end if;

  if current_setting('request.method', true) in ('GET', 'HEAD') then
    v_wanted := current_setting('request.headers', true)::json ->> 'if-none-match';
    if btrim(v_wanted) = '*'
      or strpos(v_wanted, '"' || app.format_drama_tag(v_drama.updated_at) || '"') > 0
    then
      perform app.set_drama_headers(v_drama.updated_at);
      perform set_config('response.status', '304', true);
      return null;
    end if;
  end if;

  if v_drama.package is null then
    select d.updated_at, app.build_drama(d.id) as package into v_drama
    from public.dramas as d
    where d.id = get_drama_complete.drama_id;
    if not found then
      perform app.fail(
        404, 'drama_not_found', 'Drama not found.', 'Use an id that list_dramas returns.'
      );
    end if;
  end if;

  perform app.set_drama_headers(v_drama.updated_at);
  return v_drama.package;
end
$$;

comment on function app.get_drama_complete(uuid) is
  'Returns a drama with its characters, episodes and scenes; see public.get_drama_complete.';

create or replace function public.get_drama_complete(drama_id uuid)
  returns public."*/*"
  language sql
  volatile
  set search_path = ''
return app.get_drama_complete(drama_id);

comment on function public.get_drama_complete(uuid) is
$$Returns a drama with its characters, episodes and scenes.

The document is as docs/drama.schema.json describes it; lists are in their order. A GET with the
ETag as If-None-Match returns 304 until the drama changes. 404 drama_not_found. From origin 002.$$;

grant execute on function app.get_drama_complete(uuid) to anon, authenticated, service_role;
grant execute on function public.get_drama_complete(uuid) to anon, authenticated, service_role;
