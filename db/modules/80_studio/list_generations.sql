-- app.list_generations, public.list_generations
--
-- Called by   clients, for themselves
-- Errors      PT401 not_signed_in, PT422 page_invalid
create or replace function app.list_generations("limit" integer, before text, favourite boolean)
  returns json
  language plpgsql
  stable
  security definer
  set search_path = ''
  set timezone = 'UTC'
as $$
declare
  v_user_id uuid := app.require_user();
  v_last record := app.parse_page(list_generations."limit", list_generations.before);
begin
  return (
    with page as (
      select g.*, row_number() over (order by g.created_at desc, g.id desc) as n
      from (
        -- Two branches, because each has an index. A condition on the parameter alone lets Postgres
        -- skip the other branch.
        (
          select a.*
          from public.generations as a
          where not coalesce(list_generations.favourite, false)
            and a.user_id = v_user_id
            and (a.created_at, a.id) < (v_last.created_at, v_last.id)
          order by a.created_at desc, a.id desc
          limit list_generations."limit" + 1
        )
        union all
        (
          select f.*
          from public.generations as f
          where list_generations.favourite
            and f.is_favourite
            and f.user_id = v_user_id
            and (f.created_at, f.id) < (v_last.created_at, v_last.id)
          order by f.created_at desc, f.id desc
          limit list_generations."limit" + 1
        )
      ) as g
    )
    select json_build_object(
      'generations',
      coalesce(
        json_agg(
          json_build_object(
            'id', p.id,
            'user_id', p.user_id,
            'tool_id', p.tool_id,
            'tool_key', p.tool_key,
            'kind', p.kind,
            'status', p.status,
            'tool_parameters', p.tool_parameters,
            'url', p.url,
            'result', p.result,
            'error', p.error,
            'credits', p.credits,
            'is_favourite', p.is_favourite,
            'run_id', p.run_id,
            'created_at', p.created_at,
            'updated_at', p.updated_at,
            'completed_at', p.completed_at
          ) order by p.n
        ) filter (where p.n <= list_generations."limit"),
        '[]'
      ),
      'next',
      case
        when max(p.n) > list_generations."limit" then (
          select app.format_page_end(l.created_at, l.id)
          from page as l
          where l.n = list_generations."limit"
        )
      end
    )
    from page as p
  );
end
$$;

comment on function app.list_generations(integer, text, boolean) is
  'Returns a page of the caller''s generations; see public.list_generations.';

create or replace function public.list_generations(
  "limit" integer default 20,
  before text default null,
  favourite boolean default false
)
  returns json
  language sql
  stable
  set search_path = ''
return app.list_generations("limit", before, favourite);

comment on function public.list_generations(integer, text, boolean) is
$$Lists the caller's generations, newest first.

limit: 1 to 100, default 20; in the query of a GET, limit belongs to PostgREST. before: next of the
previous page. favourite: true lists only rows with is_favourite.
Returns { generations: [rows of table generations], next (null on the last page) }. New generations
between two requests do not move rows to another page. 401 not_signed_in. 422 page_invalid. From
origin 004.$$;

grant execute on function app.list_generations(integer, text, boolean) to anon, authenticated;
grant execute on function public.list_generations(integer, text, boolean) to anon, authenticated;
