-- app.list_tasks, public.list_tasks
--
-- Called by   clients, for themselves
-- Errors      PT401 not_signed_in, PT422 page_invalid
create or replace function app.list_tasks("limit" integer, before text)
  returns json
  language plpgsql
  stable
  security definer
  set search_path = ''
  set timezone = 'UTC'
as $$
declare
  v_user_id uuid := app.require_user();
  v_last record := app.parse_page(list_tasks."limit", list_tasks.before);
begin
  return app.send_document((
    with page as (
      select t.*, row_number() over (order by t.created_at desc, t.id desc) as n
      from public.tasks as t
      where t.user_id = v_user_id and (t.created_at, t.id) < (v_last.created_at, v_last.id)
      order by t.created_at desc, t.id desc
      limit list_tasks."limit" + 1
    )
    select json_build_object(
      'tasks',
      coalesce(
        json_agg(
          json_build_object(
            'id', p.id,
            'correlation_id', p.correlation_id,
            'user_id', p.user_id,
            'mandate', p.mandate,
            'status', p.status,
            'max_ticks', p.max_ticks,
            'tick', p.tick,
            'result', p.result,
            'error', p.error,
            'created_at', p.created_at,
            'updated_at', p.updated_at,
            'usage', p.usage,
            'run_id', p.run_id
          ) order by p.n
        ) filter (where p.n <= list_tasks."limit"),
        '[]'
      ),
      'next',
      case
        when max(p.n) > list_tasks."limit" then (
          select app.format_page_end(l.created_at, l.id)
          from page as l
          where l.n = list_tasks."limit"
        )
      end
    )
    from page as p
  ));
end
$$;

comment on function app.list_tasks(integer, text) is
  'Returns a page of the caller''s tasks; see public.list_tasks.';

-- Drops the function of earlier releases, which returned json.
drop function if exists public.list_tasks(integer, text);

create or replace function public.list_tasks("limit" integer default 20, before text default null)
  returns public."*/*"
  language sql
  stable
  set search_path = ''
return app.list_tasks("limit", before);

comment on function public.list_tasks(integer, text) is
$$Lists the caller's tasks, newest first.

limit: 1 to 100, default 20; in the query of a GET, limit belongs to PostgREST. before: next of the
previous page.
Returns { tasks: [rows of table tasks], next (null on the last page) }. Tasks that are submitted
between two requests move no task to another page. service_role reads table tasks instead.
401 not_signed_in. 422 page_invalid. From origin 003.$$;

grant execute on function app.list_tasks(integer, text) to anon, authenticated;
grant execute on function public.list_tasks(integer, text) to anon, authenticated;
