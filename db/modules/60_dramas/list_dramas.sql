-- app.list_dramas, public.list_dramas
--
-- Called by   clients for themselves; service_role for an owner
-- Errors      PT401 not_signed_in, PT404 owner_not_found, PT422 owner_missing, page_invalid
-- Drops the functions of earlier releases, which had no parameter limit.
drop function if exists public.list_dramas(integer, text, uuid);
drop function if exists app.list_dramas(integer, text, uuid);

create or replace function app.list_dramas(
  page_size integer,
  after text,
  owner_id uuid,
  "limit" integer
)
  returns json
  language plpgsql
  stable
  security definer
  set search_path = ''
  set timezone = 'UTC'
as $$
declare
  v_owner_id uuid := app.require_drama_owner(list_dramas.owner_id);
  v_size integer := coalesce(list_dramas."limit", list_dramas.page_size);
  v_before record := app.parse_page(v_size, list_dramas.after);
  v_page json;
begin
  v_page := (
    with page as (
      select d.*, row_number() over (order by d.created_at desc, d.id desc) as n
      from public.dramas as d
      where d.owner_id = v_owner_id and (d.created_at, d.id) < (v_before.created_at, v_before.id)
      order by d.created_at desc, d.id desc
      limit v_size + 1
    )
    select json_build_object(
      'dramas',
      coalesce(
        json_agg(
          json_build_object(
            'id', p.id,
            'external_id', p.external_id,
            'title', p.title,
            'premise', p.premise,
            'cover_url', p.cover_url,
            'model', p.model,
            'characters', (
              select count(*) from public.drama_characters as c where c.drama_id = p.id
            ),
            'episodes', (select count(*) from public.episodes as e where e.drama_id = p.id),
            'scenes', (select count(*) from public.scenes as s where s.drama_id = p.id),
            'run_id', p.run_id,
            'status', (select j.status from public.jobs as j where j.id = p.run_id),
            'failed_steps', (
              select count(*)
              from public.jobs as j
              where j.root_id = p.run_id and j.status = 'failed' and j.parent_id is not null
            ),
            'created_at', p.created_at,
            'updated_at', p.updated_at
          ) order by p.n
        ) filter (where p.n <= v_size),
        '[]'
      ),
      'next',
      case
        when max(p.n) > v_size then (
          select app.format_page_end(l.created_at, l.id)
          from page as l
          where l.n = v_size
        )
      end
    )
    from page as p
  );

  return app.send_document(v_page, md5(v_page::text));
end
$$;

comment on function app.list_dramas(integer, text, uuid, integer) is
  'Returns a page of a user''s dramas; see public.list_dramas.';

create or replace function public.list_dramas(
  page_size integer default 20,
  after text default null,
  owner_id uuid default null,
  "limit" integer default null
)
  returns public."*/*"
  language sql
  stable
  set search_path = ''
return app.list_dramas(page_size, after, owner_id, "limit");

comment on function public.list_dramas(integer, text, uuid, integer) is
$$Lists dramas, newest first, without their texts.

page_size: 1 to 100, default 20. limit: as page_size, for a call by POST; in the query of a GET,
limit belongs to PostgREST. after: next of the previous page. owner_id: service_role must send this
parameter; all other callers leave it out.
Returns { dramas: [{ id, external_id, title, premise, cover_url, model, characters, episodes, scenes
(three counts), run_id, status (of the run, or null), failed_steps (of the run), created_at,
updated_at }], next (null on the last page) }. A run completes even if an image failed: failed_steps
counts the failed steps, retry_job runs them again, and the URL of a missing image is null.
A GET with the ETag as If-None-Match returns 304 until a drama of the page changes.
422 page_invalid, owner_missing. 404 owner_not_found. From origin 002.$$;

grant execute on function app.list_dramas(integer, text, uuid, integer)
  to anon, authenticated, service_role;
grant execute on function public.list_dramas(integer, text, uuid, integer)
  to anon, authenticated, service_role;
